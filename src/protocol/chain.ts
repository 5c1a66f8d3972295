/**
 * Chains: per mailbox, what its owner received and sent, linked epoch by epoch.
 *
 *   link   0x00 ‖ csign1li ‖ mailbox 32 ‖ epoch 8 ‖ part 2 ‖ parts 2 ‖ previous epoch 8 ‖ total 8 ‖
 *          previous head 32 ‖ n 2 ‖ n × (inbox 2 ‖ index 4 ‖ message hash 32), n ≤ 64
 *   still  0x00 ‖ csign1st ‖ mailbox 32 ‖ epoch 8 ‖ last epoch 8 ‖ total 8 ‖ head 32 ‖ trimmed through 8
 *
 * A link's leaf hash is the chain's new head. All parts of one epoch name the same previous epoch;
 * `total` counts the chain's entries through the part. Every part but the last is full.
 */
import { sha256, sha256Into } from '#crypto';
import { ascii, copyHash, copyShort, putU16, putU64, viewOf, Writer } from './bytes.js';
import { MAX_U16, PAGE_ENTRIES } from './limits.js';

export const LINK_PREFIX = ascii('\0csign1li');
export const STILL_PREFIX = ascii('\0csign1st');
export const LINK_HEADER_BYTES = 9 + 32 + 8 + 2 + 2 + 8 + 8 + 32 + 2;
/** inbox 2 ‖ index 4 ‖ message hash 32, as in a router's row behind the mailbox. */
export const LINK_ENTRY_BYTES = 38;

/** Where a chain stands after its last link. */
export interface ChainState {
  /** Epoch of the last link; 0 = none yet. */
  readonly lastEpoch: number;
  /** Entries in all links. */
  readonly total: number;
  /** Leaf hash of the last link, or the chain seed. 32 bytes. */
  readonly head: Uint8Array;
}

const preimage = new Uint8Array(LINK_HEADER_BYTES + PAGE_ENTRIES * LINK_ENTRY_BYTES);
preimage.set(LINK_PREFIX);
const preimageView = viewOf(preimage);
/** As much of it as a part with so many entries takes: most parts are small, and a view costs as much as they do. */
const parts: Uint8Array[] = [];

/** Number of parts that `entries` entries of one mailbox and epoch take (0 entries: no link). */
export function linkParts(entries: number): number {
  return Math.ceil(entries / PAGE_ENTRIES);
}

/**
 * Links `count` entries, of which entry `i` lies at `entryAt(i)` (38 bytes each), to the chain of the mailbox
 * whose 32 bytes lie at `mailboxAt`. Writes one leaf hash per part to `leaves` at `leavesAt`; the last is the new head.
 */
export function link(
  mailbox: DataView,
  mailboxAt: number,
  epoch: number,
  chain: ChainState,
  entries: DataView,
  entryAt: (i: number) => number,
  count: number,
  leaves: Uint8Array,
  leavesAt: number,
): void {
  const last = linkParts(count);
  if (last > MAX_U16) throw new RangeError(`link: ${last} parts, at most ${MAX_U16}`);
  copyShort(mailbox, mailboxAt, preimageView, 9, 32);
  putU64(preimage, 41, epoch);
  putU16(preimage, 51, last);
  putU64(preimage, 53, chain.lastEpoch);
  let { head } = chain;
  let headAt = 0;
  for (let part = 0, from = 0; part < last; part++, from += PAGE_ENTRIES) {
    const n = Math.min(PAGE_ENTRIES, count - from);
    let at = LINK_HEADER_BYTES;
    for (let e = from; e < from + n; e++, at += LINK_ENTRY_BYTES) {
      copyShort(entries, entryAt(e), preimageView, at, LINK_ENTRY_BYTES);
    }
    putU16(preimage, 49, part);
    putU64(preimage, 61, chain.total + from + n);
    copyHash(head, headAt, preimage, 69);
    putU16(preimage, 101, n);
    parts[n] ??= preimage.subarray(0, LINK_HEADER_BYTES + n * LINK_ENTRY_BYTES);
    sha256Into(parts[n], leaves, leavesAt + part * 32);
    head = leaves;
    headAt = leavesAt + part * 32;
  }
}

/** The preimage of a still: "nothing since the chain's last epoch, as of `epoch`". */
export function stillPreimage(
  mailbox: Uint8Array,
  epoch: number,
  chain: ChainState,
  trimmedThrough: number,
): Uint8Array {
  return new Writer(105)
    .bytes(STILL_PREFIX)
    .bytes(mailbox)
    .u64(epoch)
    .u64(chain.lastEpoch)
    .u64(chain.total)
    .bytes(chain.head)
    .u64(trimmedThrough)
    .done();
}

/** The leaf hash of a still; it does not touch the chain. */
export function stillHash(
  mailbox: Uint8Array,
  epoch: number,
  chain: ChainState,
  trimmedThrough: number,
): Uint8Array {
  return sha256(stillPreimage(mailbox, epoch, chain, trimmedThrough));
}
