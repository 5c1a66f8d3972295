/**
 * Pages: the leaves of what inboxes, routers and receivers sign.
 *
 *   inbox page            0x00 ‖ csign1in ‖ n × row, row = message hash 32 ‖ submission hash 32 ‖
 *                         previous place of this sender (epoch 8 ‖ inbox 2 ‖ index 4)      (78 bytes)
 *   router, receiver page 0x00 ‖ csign1ro or csign1re ‖ n × row, row = mailbox 32 ‖ inbox 2 ‖ index 4 ‖
 *                         message hash 32        (70 bytes), strictly rising by (mailbox, inbox, index)
 *   submission page       0x00 ‖ csign1sl ‖ n × message hash 32
 *
 * n ≤ 64; every page but the last is full. Rows are kept in page layout, prefixes in place, so that
 * a page is hashed where it lies.
 */
import { sha256, sha256Into } from '#crypto';
import {
  ascii,
  compareBytes,
  concat,
  copy32,
  getU16,
  getU32,
  getU64,
  HASH_BYTES,
  putU16,
  putU32,
  putU64,
  sameBytes,
  Writer,
  ZERO_HASH,
} from './bytes.js';
import { PAGE_ENTRIES } from './limits.js';
import { merkleRoot } from './merkle-tree.js';
import type { Place } from './place.js';

const PREFIX_BYTES = 9;
export const INBOX_PREFIX = ascii('\0csign1in');
export const ROUTER_PREFIX = ascii('\0csign1ro');
export const RECEIVER_PREFIX = ascii('\0csign1re');
export const SUBMISSION_PREFIX = ascii('\0csign1sl');
const SUBMISSION_TAG = ascii('csign1su');
export const SUBMISSION_DOMAIN = ascii('countersign/v1 submission');

export const INBOX_ROW_BYTES = 78;
export const ITEM_ROW_BYTES = 70;

/** Bytes that `rows` rows take up, page prefixes included. */
export function pagesBytes(rows: number, rowBytes: number): number {
  return Math.ceil(rows / PAGE_ENTRIES) * PREFIX_BYTES + rows * rowBytes;
}

/** Offset of row `x` in page layout. */
export function rowAt(x: number, rowBytes: number): number {
  return (Math.floor(x / PAGE_ENTRIES) + 1) * PREFIX_BYTES + x * rowBytes;
}

/** Writes every page's prefix; rows are left alone. */
export function putPrefixes(pages: Uint8Array, rows: number, rowBytes: number, prefix: Uint8Array): void {
  const stride = PREFIX_BYTES + PAGE_ENTRIES * rowBytes;
  for (let page = 0, at = 0; page * PAGE_ENTRIES < rows; page++, at += stride) {
    for (let i = 0; i < PREFIX_BYTES; i++) pages[at + i] = prefix[i]!;
  }
}

/** Whether every page of `rows` rows starts with the prefix. */
export function hasPrefixes(pages: Uint8Array, rows: number, rowBytes: number, prefix: Uint8Array): boolean {
  const stride = PREFIX_BYTES + PAGE_ENTRIES * rowBytes;
  for (let page = 0, at = 0; page * PAGE_ENTRIES < rows; page++, at += stride) {
    if (!sameBytes(pages, at, prefix, 0, PREFIX_BYTES)) return false;
  }
  return true;
}

/** Page hashes, packed: one hash call per 64 rows. */
export function hashPages(pages: Uint8Array, rows: number, rowBytes: number): Uint8Array {
  const count = Math.ceil(rows / PAGE_ENTRIES);
  const hashes = new Uint8Array(count * HASH_BYTES);
  const stride = PREFIX_BYTES + PAGE_ENTRIES * rowBytes;
  const end = pagesBytes(rows, rowBytes);
  for (let page = 0; page < count; page++) {
    sha256Into(pages.subarray(page * stride, Math.min((page + 1) * stride, end)), hashes, page * HASH_BYTES);
  }
  return hashes;
}

/** Writes an inbox row behind its message hash; `submission` is 32 zero bytes where the submission is unsigned. */
export function putInboxRow(pages: DataView, at: number, submission: DataView, previous: Place): void {
  copy32(submission, 0, pages, at + 32);
  pages.setUint32(at + 64, Math.floor(previous.epoch / 0x1_0000_0000));
  pages.setUint32(at + 68, previous.epoch);
  pages.setUint16(at + 72, previous.inbox);
  pages.setUint32(at + 74, previous.index);
}

export function putPlace(out: Uint8Array, at: number, place: Place): void {
  putU64(out, at, place.epoch);
  putU16(out, at + 8, place.inbox);
  putU32(out, at + 10, place.index);
}

export function getPlace(bytes: Uint8Array, at: number): Place {
  return { epoch: getU64(bytes, at), inbox: getU16(bytes, at + 8), index: getU32(bytes, at + 10) };
}

/** Writes a router or receiver row. */
export function putItemRow(
  pages: DataView,
  at: number,
  mailbox: DataView,
  mailboxAt: number,
  inbox: number,
  index: number,
  hash: DataView,
  hashAt: number,
): void {
  copy32(mailbox, mailboxAt, pages, at);
  pages.setUint16(at + ITEM_INBOX_AT, inbox);
  pages.setUint32(at + ITEM_INDEX_AT, index);
  copy32(hash, hashAt, pages, at + ITEM_HASH_AT);
}

/** Offsets inside a router or receiver row. */
export const ITEM_INBOX_AT = 32;
export const ITEM_INDEX_AT = 34;
export const ITEM_HASH_AT = 38;
const ITEM_ORDER_BYTES = 38;

/** Whether rows rise strictly by (mailbox, inbox, index): their first 38 bytes sort as bytes do. */
export function itemsRise(pages: Uint8Array, rows: number): boolean {
  for (let x = 1; x < rows; x++) {
    if (
      compareBytes(pages, rowAt(x - 1, ITEM_ROW_BYTES), pages, rowAt(x, ITEM_ROW_BYTES), ITEM_ORDER_BYTES) >=
      0
    )
      return false;
  }
  return true;
}

/** Hashes of the pages of up to 64 message hashes, both packed. */
export function submissionPages(messageHashes: Uint8Array): Uint8Array {
  const pages = Math.ceil(messageHashes.length / HASH_BYTES / PAGE_ENTRIES);
  const hashes = new Uint8Array(pages * HASH_BYTES);
  for (let page = 0; page < pages; page++) {
    const from = page * PAGE_ENTRIES * HASH_BYTES;
    const rows = messageHashes.subarray(from, from + PAGE_ENTRIES * HASH_BYTES);
    sha256Into(concat(SUBMISSION_PREFIX, rows), hashes, page * HASH_BYTES);
  }
  return hashes;
}

/** The root over the pages, as a submission signs it. */
export function submissionRoot(messageHashes: Uint8Array): Uint8Array {
  return merkleRoot(submissionPages(messageHashes));
}

/** `countersign/v1 submission` ‖ server id ‖ sender ‖ first counter 8 ‖ count 2 ‖ root: what a sender signs per frame. */
export function submissionBytes(
  serverId: Uint8Array,
  sender: Uint8Array,
  firstCounter: number,
  messageHashes: Uint8Array,
): Uint8Array {
  const numbers = new Writer(10)
    .u64(firstCounter)
    .u16(messageHashes.length / HASH_BYTES)
    .done();
  return concat(SUBMISSION_DOMAIN, serverId, sender, numbers, submissionRoot(messageHashes));
}

/** H(`csign1su` ‖ signed bytes ‖ signature). */
export function submissionHash(signed: Uint8Array, signature: Uint8Array): Uint8Array {
  return sha256(concat(SUBMISSION_TAG, signed, signature));
}

/** The submission hash of an unsigned submission. */
export const UNSIGNED = ZERO_HASH;
