/**
 * An outbox's share of one epoch, packed: what is stored and what deliveries are made from.
 *
 *   links   epoch 8 ‖ mailboxes 4 ‖ leaves 4 ‖ rows 4 ‖ mailboxes × header ‖ leaves × 32 ‖ rows × row
 *   header  mailbox 32 ‖ position of its first leaf 4 ‖ previous epoch 8 ‖ total before 8 ‖
 *           previous head 32 ‖ first row 4 ‖ rows 4 ‖ weight through this link 16      (108 bytes, sorted)
 *   weight  links with something received 4 ‖ links with own messages alone 4 ‖ bytes received 8
 *   row     inbox 2 ‖ index 4 ‖ message hash 32 ‖ position 2 (0xffff = sent) ‖ detail 8    (48 bytes)
 *           detail = offset in the bodies, or the sender's counter for a sent one
 *   bodies  messages × (sender 32 ‖ counter 8 ‖ length 4 ‖ bundle ‖ leaf hashes of its recipients), each message
 *           once; a message with one recipient has no leaf hashes here
 */
import {
  type ChainState,
  compareBytes,
  copy32,
  copyShort,
  getU16,
  getU32,
  getU64,
  linkParts,
  putU32,
  putU64,
  viewOf,
} from '../protocol/index.js';
import { compareId, idAt } from './ids.js';
import { type ChainView, getWeight, putWeight, type Weight } from './mailbox-state.js';
import { SENT_ONLY } from './messages.js';

/** A Buffer's own `slice` does not copy. */
const copyOf = Uint8Array.prototype.slice;

const START = 20;
export const HEADER_BYTES = 108;
export const ROW_BYTES = 48;
export const BODY_HEADER_BYTES = 44;

/** Bytes of the links part. */
export function linksBytes(mailboxes: number, leaves: number, rows: number): number {
  return START + mailboxes * HEADER_BYTES + leaves * 32 + rows * ROW_BYTES;
}

/** One row of a mailbox in an epoch. */
export interface LinkRow {
  readonly inbox: number;
  readonly index: number;
  /** Offset of the message hash in `bytes`. */
  readonly hashAt: number;
  /** Position among the recipients; `SENT_ONLY` for the owner's own message. */
  readonly position: number;
  /** Offset in the bodies, or the counter. */
  readonly detail: number;
}

/** Reads and, while an epoch is made, writes the links part. */
export class Links {
  /** Of all the bytes. */
  readonly view: DataView;

  private constructor(
    readonly bytes: Uint8Array,
    readonly epoch: number,
    readonly mailboxes: number,
    readonly leaves: number,
    readonly rows: number,
  ) {
    this.view = viewOf(bytes);
  }

  static read(bytes: Uint8Array): Links {
    return new Links(bytes, getU64(bytes, 0), getU32(bytes, 8), getU32(bytes, 12), getU32(bytes, 16));
  }

  /** Starts a new one in `bytes`, which must have room for `linksBytes(…)`. */
  static create(bytes: Uint8Array, epoch: number, mailboxes: number, leaves: number, rows: number): Links {
    putU64(bytes, 0, epoch);
    putU32(bytes, 8, mailboxes);
    putU32(bytes, 12, leaves);
    putU32(bytes, 16, rows);
    return new Links(bytes.subarray(0, linksBytes(mailboxes, leaves, rows)), epoch, mailboxes, leaves, rows);
  }

  headerAt(i: number): number {
    return START + i * HEADER_BYTES;
  }

  /** Offset of the chain before: last epoch 8 ‖ total 8 ‖ head 32. */
  chainAt(i: number): number {
    return this.headerAt(i) + 36;
  }

  /** Offset of leaf hash `i`. */
  leafAt(i: number): number {
    return START + this.mailboxes * HEADER_BYTES + i * 32;
  }

  rowAt(i: number): number {
    return this.leafAt(this.leaves) + i * ROW_BYTES;
  }

  get leafHashes(): Uint8Array {
    return this.bytes.subarray(this.leafAt(0), this.leafAt(this.leaves));
  }

  putHeader(
    i: number,
    mailbox: DataView,
    mailboxAt: number,
    position: number,
    before: ChainView,
    firstRow: number,
    rows: number,
  ): void {
    const { view } = this;
    const at = this.headerAt(i);
    copy32(mailbox, mailboxAt, view, at);
    view.setUint32(at + 32, position);
    // Epoch, total and head lie there as they do here.
    copyShort(before.view, before.at, view, this.chainAt(i), 48);
    view.setUint32(at + 84, firstRow);
    view.setUint32(at + 88, rows);
  }

  /** Of the chain through this link. */
  putWeight(i: number, weight: Weight): void {
    putWeight(this.bytes, this.headerAt(i) + 92, weight);
  }

  /** `entry`: inbox ‖ index ‖ message hash, 38 bytes at `entryAt`. */
  putRow(i: number, entry: DataView, entryAt: number, position: number, detail: number): void {
    const at = this.rowAt(i);
    copyShort(entry, entryAt, this.view, at, 38);
    this.view.setUint16(at + 38, position);
    putU64(this.bytes, at + 40, detail);
  }

  row(i: number): LinkRow {
    const at = this.rowAt(i);
    const { view } = this;
    return {
      inbox: view.getUint16(at),
      index: view.getUint32(at + 2),
      hashAt: at + 6,
      position: view.getUint16(at + 38),
      detail: getU64(this.bytes, at + 40),
    };
  }

  mailbox(i: number): string {
    return idAt(this.bytes, this.headerAt(i));
  }

  mailboxBytes(i: number): Uint8Array {
    const at = this.headerAt(i);
    return this.bytes.subarray(at, at + 32);
  }

  position(i: number): number {
    return this.view.getUint32(this.headerAt(i) + 32);
  }

  previousEpoch(i: number): number {
    return getU64(this.bytes, this.headerAt(i) + 36);
  }

  firstRow(i: number): number {
    return this.view.getUint32(this.headerAt(i) + 84);
  }

  rowCount(i: number): number {
    return this.view.getUint32(this.headerAt(i) + 88);
  }

  /** The mailbox's chain before this epoch. */
  chainBefore(i: number): ChainState {
    const at = this.headerAt(i);
    const head = copyOf.call(this.bytes, at + 52, at + 84);
    return { lastEpoch: this.previousEpoch(i), total: getU64(this.bytes, at + 44), head };
  }

  /** Entries of the mailbox's chain through this epoch. */
  totalAfter(i: number): number {
    return getU64(this.bytes, this.chainAt(i) + 8) + this.rowCount(i);
  }

  /** Makes a chain what it is after this epoch, in place. */
  moveChain(i: number, chain: ChainView): void {
    const { view } = this;
    const header = this.headerAt(i);
    chain.lastEpoch = this.epoch;
    chain.total = this.totalAfter(i);
    const end = this.position(i) + linkParts(this.rowCount(i)) - 1;
    copy32(view, this.leafAt(end), chain.view, chain.at + 16);
    copyShort(view, header + 92, chain.view, chain.at + 48, 16);
  }

  /** Of the mailbox's chain after this epoch. */
  weight(i: number): Weight {
    return getWeight(this.bytes, this.headerAt(i) + 92);
  }

  /** Number of the link in its chain, plus a number that every mailbox has of its own. */
  spreadNumber(i: number): number {
    const at = this.headerAt(i);
    return this.bytes[at]! + getU32(this.bytes, at + 92) + getU32(this.bytes, at + 96);
  }

  /** Whether the mailbox got nothing in this epoch: its owner has only sent. */
  isOwn(i: number): boolean {
    for (let x = this.firstRow(i), end = x + this.rowCount(i); x < end; x++)
      if (getU16(this.bytes, this.rowAt(x) + 38) !== SENT_ONLY) return false;
    return true;
  }

  /** How many mailboxes have only sent. */
  get ownLinks(): number {
    let own = 0;
    for (let i = 0; i < this.mailboxes; i++) if (this.isOwn(i)) own++;
    return own;
  }

  /** Which header is the mailbox's; −1 if it has no link in this epoch. `near`: the one that is looked at first. */
  find(mailbox: string, near = 0): number {
    if (near < this.mailboxes && compareId(this.bytes, this.headerAt(near), mailbox) === 0) return near;
    const i = this.countBelow(mailbox);
    return i < this.mailboxes && compareId(this.bytes, this.headerAt(i), mailbox) === 0 ? i : -1;
  }

  /** How many mailboxes with links sort before this one. */
  countBelow(mailbox: string): number {
    return lowest(0, this.mailboxes, (i) => compareId(this.bytes, this.headerAt(i), mailbox) >= 0);
  }

  /** The first of header `i`'s rows at or after inbox ‖ index, 6 bytes at `placeAt`; the row behind its last if none. */
  rowFrom(i: number, place: Uint8Array, placeAt: number): number {
    const first = this.firstRow(i);
    const isFrom = (x: number) => compareBytes(this.bytes, this.rowAt(x), place, placeAt, 6) >= 0;
    return lowest(first, first + this.rowCount(i), isFrom);
  }
}

/** The lowest number from `low` on for which `holds`, as it does for all above; `high` if for none below that. */
export function lowest(low: number, high: number, holds: (i: number) => boolean): number {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whether a row is the owner's own message and nothing else. */
export function isSent(row: LinkRow): boolean {
  return row.position === SENT_ONLY;
}

/** Whether 32 bytes at two places of page rows name one mailbox. */
export function sameMailbox(pages: DataView, a: number, b: number): boolean {
  for (let i = 0; i < 32; i += 4) if (pages.getInt32(a + i) !== pages.getInt32(b + i)) return false;
  return true;
}
