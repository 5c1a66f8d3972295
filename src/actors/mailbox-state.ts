/** What an outbox keeps per mailbox, whatever is deleted: where its chain ends and what is acknowledged. */
import {
  type ChainState,
  copyShort,
  FormatError,
  getU32,
  getU64,
  HASH_BYTES,
  putU32,
  putU64,
  viewOf,
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

/** A state that others are read into: its heads lie where they do in `bytes`, which are as they are stored. */
export interface HeldState extends MailboxState {
  readonly bytes: Uint8Array;
  /** Of `bytes`. */
  readonly view: DataView;
}

export function heldState(): HeldState {
  const bytes = new Uint8Array(STATE_BYTES);
  const chainAt = (at: number): MovingChain => {
    const head = bytes.subarray(at + 16, at + 16 + HASH_BYTES);
    return { lastEpoch: 0, total: 0, head, links: 0, own: 0, bytes: 0 };
  };
  return { chain: chainAt(0), acknowledged: chainAt(CHAIN_BYTES), bytes, view: viewOf(bytes) };
}

function readNumbers(bytes: Uint8Array, at: number, chain: MovingChain): void {
  chain.lastEpoch = getU64(bytes, at);
  chain.total = getU64(bytes, at + 8);
  chain.links = getU32(bytes, at + 48);
  chain.own = getU32(bytes, at + 52);
  chain.bytes = getU64(bytes, at + 56);
}

function putNumbers(bytes: Uint8Array, at: number, chain: KeptChain): void {
  putU64(bytes, at, chain.lastEpoch);
  putU64(bytes, at + 8, chain.total);
  putWeight(bytes, at + 48, chain);
}

/** Of bytes that are known to be a state (`checkState`). */
export function readState(from: DataView, at: number, state: HeldState): void {
  copyShort(from, at, state.view, 0, STATE_BYTES);
  readNumbers(state.bytes, 0, state.chain);
  readNumbers(state.bytes, CHAIN_BYTES, state.acknowledged);
}

/** last epoch 8 ‖ total 8 ‖ head 32 ‖ links 4 ‖ own links 4 ‖ bytes 8, for the chain and for what is acknowledged. */
export function putState(out: DataView, at: number, state: HeldState): void {
  copyShort(finished(state).view, 0, out, at, STATE_BYTES);
}

/** Its bytes say what its numbers do. */
function finished(state: HeldState): HeldState {
  putNumbers(state.bytes, 0, state.chain);
  putNumbers(state.bytes, CHAIN_BYTES, state.acknowledged);
  return state;
}

/** Throws `FormatError` on a state that is none: what it leads to would make this outbox guilty, whoever wrote it. */
export function checkState(bytes: Uint8Array): void {
  if (bytes.length !== STATE_BYTES) throw new FormatError(`a mailbox's state of ${bytes.length} bytes`);
  const [[lastEpoch, total], [acknowledged]] = [bigNumbers(bytes, 0), bigNumbers(bytes, CHAIN_BYTES)];
  if ((lastEpoch === 0) !== (total === 0) || acknowledged > lastEpoch)
    throw new FormatError(`a mailbox's state of ${total} entries by ${lastEpoch}`);
}

/** Those of a chain that may be above 2^53 − 1, which `getU64` refuses. */
function bigNumbers(bytes: Uint8Array, at: number): [number, number, number] {
  return [getU64(bytes, at), getU64(bytes, at + 8), getU64(bytes, at + 56)];
}

/** Of a state as it is stored: the newest epoch acknowledged. */
export function acknowledgedThrough(bytes: Uint8Array): number {
  return getU64(bytes, CHAIN_BYTES);
}

export function encodeState({ chain, acknowledged }: MailboxState): Uint8Array {
  const state = heldState();
  moveTo(state.chain, chain);
  moveTo(state.acknowledged, acknowledged);
  return finished(state).bytes;
}

/** Makes a chain what another one is, in place. */
export function moveTo(chain: MovingChain, { head, ...numbers }: KeptChain): void {
  chain.head.set(head);
  Object.assign(chain, numbers);
}

/** Throws `FormatError` on a state that is none. */
export function decodeState(bytes: Uint8Array): MailboxState {
  checkState(bytes);
  const state = heldState();
  readState(viewOf(bytes), 0, state);
  return state;
}

/** What makes a mailbox: its chain starts with the seed (32 random bytes). */
export function mailboxRecord(mailbox: Uint8Array, seed: Uint8Array): StoreRecord {
  const { chain, acknowledged, bytes } = heldState();
  chain.head.set(seed);
  acknowledged.head.set(seed);
  return { key: idKey(TABLE.mailbox, mailbox), value: bytes };
}
