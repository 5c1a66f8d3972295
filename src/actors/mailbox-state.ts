/** What an outbox keeps per mailbox, whatever is deleted: where its chain ends and what is acknowledged. */
import {
  type ChainState,
  copy32,
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

export interface MailboxState {
  readonly chain: KeptChain;
  /** The chain through what the owner has acknowledged; at first the seed. */
  readonly acknowledged: KeptChain;
}

/** last epoch 8 ‖ total 8 ‖ head 32 ‖ links 4 ‖ own links 4 ‖ bytes 8, for the chain and for what is acknowledged. */
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

/** One of a state's two chains where it lies, known to be one (`checkState`): moved from state to state, read and changed in place. */
export class ChainView implements KeptChain {
  private readonly lentHead = new Uint8Array(HASH_BYTES);
  private readonly headView = viewOf(this.lentHead);

  constructor(
    public view = viewOf(new Uint8Array(CHAIN_BYTES)),
    public at = 0,
  ) {}

  /** To one that lies in `view` at `at`. */
  moveTo(view: DataView, at: number): void {
    this.view = view;
    this.at = at;
  }

  get lastEpoch(): number {
    return this.u64(0);
  }
  set lastEpoch(value: number) {
    this.setU64(0, value);
  }

  get total(): number {
    return this.u64(8);
  }
  set total(value: number) {
    this.setU64(8, value);
  }

  /** A copy, until it is asked for again. */
  get head(): Uint8Array {
    copy32(this.view, this.at + 16, this.headView, 0);
    return this.lentHead;
  }
  set head(value: Uint8Array) {
    copy32(viewOf(value), 0, this.view, this.at + 16);
  }

  get links(): number {
    return this.view.getUint32(this.at + 48);
  }
  set links(value: number) {
    this.view.setUint32(this.at + 48, value);
  }

  get own(): number {
    return this.view.getUint32(this.at + 52);
  }
  set own(value: number) {
    this.view.setUint32(this.at + 52, value);
  }

  get bytes(): number {
    return this.u64(56);
  }
  set bytes(value: number) {
    this.setU64(56, value);
  }

  private u64(field: number): number {
    const at = this.at + field;
    return this.view.getUint32(at) * 0x1_0000_0000 + this.view.getUint32(at + 4);
  }

  private setU64(field: number, value: number): void {
    const at = this.at + field;
    this.view.setUint32(at, value / 0x1_0000_0000);
    this.view.setUint32(at + 4, value);
  }

  /** Makes it what another one is. */
  set({ lastEpoch, total, head, links, own, bytes }: KeptChain): void {
    Object.assign(this, { lastEpoch, total, head, links, own, bytes });
  }

  /** As it is now. */
  copy(): KeptChain {
    const { lastEpoch, total, head, links, own, bytes } = this;
    return { lastEpoch, total, head: Uint8Array.from(head), links, own, bytes };
  }
}

/** A state where it lies. */
export class StateView implements MailboxState {
  readonly chain = new ChainView();
  readonly acknowledged = new ChainView();

  moveTo(view: DataView, at: number): this {
    this.chain.moveTo(view, at);
    this.acknowledged.moveTo(view, at + CHAIN_BYTES);
    return this;
  }
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

export function encodeState(state: MailboxState): Uint8Array {
  const bytes = new Uint8Array(STATE_BYTES);
  const { chain, acknowledged } = new StateView().moveTo(viewOf(bytes), 0);
  chain.set(state.chain);
  acknowledged.set(state.acknowledged);
  return bytes;
}

/** Throws `FormatError` on a state that is none. */
export function decodeState(bytes: Uint8Array): MailboxState {
  checkState(bytes);
  const { chain, acknowledged } = new StateView().moveTo(viewOf(bytes), 0);
  return { chain: chain.copy(), acknowledged: acknowledged.copy() };
}

/** What makes a mailbox: its chain starts with the seed (32 random bytes). */
export function mailboxRecord(mailbox: Uint8Array, seed: Uint8Array): StoreRecord {
  const start = { lastEpoch: 0, total: 0, head: seed, links: 0, own: 0, bytes: 0 };
  const value = encodeState({ chain: start, acknowledged: start });
  return { key: idKey(TABLE.mailbox, mailbox), value };
}
