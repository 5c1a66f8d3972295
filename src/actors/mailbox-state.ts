/** What an outbox keeps per mailbox, whatever is deleted: where its chain ends and what is acknowledged. */
import {
  type ChainState,
  copyHash,
  FormatError,
  getU32,
  getU64,
  HASH_BYTES,
  putU32,
  putU64,
} from '../protocol/index.js';
import type { StoreRecord } from './messages.js';
import { idKey, TABLE } from './store-keys.js';

/**
 * What a chain has brought, counted from its start, so that what is unacknowledged is a subtraction. Numbers
 * of links are counted modulo 2^32.
 */
export interface Weight {
  /** Links with something received. */
  readonly links: number;
  /** Links with the owner's own messages alone. */
  readonly own: number;
  /** Bytes of the bundles received. */
  readonly bytes: number;
}

export interface KeptChain extends ChainState, Weight {}

/** A chain that goes on in place: thousands do so in an epoch. */
export type MovingChain = { -readonly [Field in keyof KeptChain]: KeptChain[Field] };

export interface MailboxState {
  readonly chain: MovingChain;
  /** The chain through what the owner has acknowledged; at first the seed. */
  readonly acknowledged: MovingChain;
}

const CHAIN_BYTES = 64;
/** Of a state as it is stored. */
export const STATE_BYTES = 2 * CHAIN_BYTES;

export function putWeight(out: Uint8Array, at: number, { links, own, bytes }: Weight): void {
  putU32(out, at, links);
  putU32(out, at + 4, own);
  putU64(out, at + 8, bytes);
}

export function getWeight(bytes: Uint8Array, at: number): Weight {
  return { links: getU32(bytes, at), own: getU32(bytes, at + 4), bytes: getU64(bytes, at + 8) };
}

/** What is unacknowledged. */
export function unacknowledged({ chain, acknowledged }: MailboxState): Weight {
  return {
    links: (chain.links - acknowledged.links) >>> 0,
    own: (chain.own - acknowledged.own) >>> 0,
    bytes: chain.bytes - acknowledged.bytes,
  };
}

function putChain(out: Uint8Array, at: number, chain: KeptChain): void {
  putU64(out, at, chain.lastEpoch);
  putU64(out, at + 8, chain.total);
  copyHash(chain.head, 0, out, at + 16);
  putWeight(out, at + 48, chain);
}

function readChain(bytes: Uint8Array, at: number, chain: MovingChain): void {
  chain.lastEpoch = getU64(bytes, at);
  chain.total = getU64(bytes, at + 8);
  copyHash(bytes, at + 16, chain.head, 0);
  chain.links = getU32(bytes, at + 48);
  chain.own = getU32(bytes, at + 52);
  chain.bytes = getU64(bytes, at + 56);
}

function noChain(): MovingChain {
  return { lastEpoch: 0, total: 0, head: new Uint8Array(HASH_BYTES), links: 0, own: 0, bytes: 0 };
}

/** One to read states into. */
export function noState(): MailboxState {
  return { chain: noChain(), acknowledged: noChain() };
}

/** Throws `FormatError` on a state that is none: what it leads to would make this outbox guilty, whoever wrote it. */
export function checkState(bytes: Uint8Array): void {
  if (bytes.length !== STATE_BYTES) throw new FormatError(`a mailbox's state of ${bytes.length} bytes`);
  const [lastEpoch, total] = [getU64(bytes, 0), getU64(bytes, 8)];
  if ((lastEpoch === 0) !== (total === 0) || acknowledgedThrough(bytes) > lastEpoch)
    throw new FormatError(`a mailbox's state of ${total} entries by ${lastEpoch}`);
}

/** Of a state as it is stored: where its chain ends. Throws `FormatError` on one that is none. */
export function decodeChain(bytes: Uint8Array): KeptChain {
  return decodeState(bytes).chain;
}

/** Of a state as it is stored: the newest epoch acknowledged. */
export function acknowledgedThrough(bytes: Uint8Array): number {
  return getU64(bytes, CHAIN_BYTES);
}

/** last epoch 8 ‖ total 8 ‖ head 32 ‖ links 4 ‖ own links 4 ‖ bytes 8, for the chain and for what is acknowledged. */
export function putState(out: Uint8Array, at: number, { chain, acknowledged }: MailboxState): void {
  putChain(out, at, chain);
  putChain(out, at + CHAIN_BYTES, acknowledged);
}

/** Of bytes that are known to be a state. */
export function readState(bytes: Uint8Array, at: number, state: MailboxState): void {
  readChain(bytes, at, state.chain);
  readChain(bytes, at + CHAIN_BYTES, state.acknowledged);
}

export function encodeState(state: MailboxState): Uint8Array {
  const bytes = new Uint8Array(STATE_BYTES);
  putState(bytes, 0, state);
  return bytes;
}

/** Throws `FormatError` on a state that is none. */
export function decodeState(bytes: Uint8Array): MailboxState {
  checkState(bytes);
  const state = noState();
  readState(bytes, 0, state);
  return state;
}

/** What makes a mailbox: its chain starts with the seed (32 random bytes). */
export function mailboxRecord(mailbox: Uint8Array, seed: Uint8Array): StoreRecord {
  const chain = { ...noChain(), head: seed };
  return { key: idKey(TABLE.mailbox, mailbox), value: encodeState({ chain, acknowledged: chain }) };
}
