/** What an outbox keeps per mailbox, whatever is deleted: where its chain ends and what is acknowledged. */
import { type ChainState, FormatError, getU32, getU64, putU32, putU64 } from '../protocol/index.js';
import type { StoreRecord } from './messages.js';
import type { StateCodec } from './state-table.js';
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
  out.set(chain.head, at + 16);
  putWeight(out, at + 48, chain);
}

function getChain(bytes: Uint8Array, at: number): KeptChain {
  return {
    lastEpoch: getU64(bytes, at),
    total: getU64(bytes, at + 8),
    head: Uint8Array.from(bytes.subarray(at + 16, at + 48)),
    ...getWeight(bytes, at + 48),
  };
}

/** Of a state as it is stored: where its chain ends. Throws `FormatError` as `decode`. */
export function decodeChain(bytes: Uint8Array): KeptChain {
  const chain = getChain(bytes, 0);
  const isState =
    (chain.lastEpoch === 0) === (chain.total === 0) && acknowledgedThrough(bytes) <= chain.lastEpoch;
  if (!isState) throw new FormatError(`a mailbox's state of ${chain.total} entries by ${chain.lastEpoch}`);
  return chain;
}

/** Of a state as it is stored: the newest epoch acknowledged. */
export function acknowledgedThrough(bytes: Uint8Array): number {
  return getU64(bytes, CHAIN_BYTES);
}

/** last epoch 8 ‖ total 8 ‖ head 32 ‖ links 4 ‖ own links 4 ‖ bytes 8, for the chain and for what is acknowledged. */
export const mailboxCodec: StateCodec<MailboxState> = {
  encode({ chain, acknowledged }) {
    const bytes = new Uint8Array(2 * CHAIN_BYTES);
    putChain(bytes, 0, chain);
    putChain(bytes, CHAIN_BYTES, acknowledged);
    return bytes;
  },
  /** Throws `FormatError` on a state that is none: what it leads to would make this outbox guilty, whoever wrote it. */
  decode: (bytes) => ({ chain: decodeChain(bytes), acknowledged: getChain(bytes, CHAIN_BYTES) }),
};

/** What makes a mailbox: its chain starts with the seed (32 random bytes). */
export function mailboxRecord(mailbox: Uint8Array, seed: Uint8Array): StoreRecord {
  const chain = { lastEpoch: 0, total: 0, head: seed, links: 0, own: 0, bytes: 0 };
  const value = mailboxCodec.encode({ chain, acknowledged: chain });
  return { key: idKey(TABLE.mailbox, mailbox), value };
}
