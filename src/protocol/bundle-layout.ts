/** Tags and offsets of a bundle (bundle.ts): shared by who writes and who reads them. */
import { ascii } from './bytes.js';

export const BODY_TAG = ascii('csign1bo');
export const ENVELOPE_TAG = ascii('csign1en');
export const LEAF_PREFIX = ascii('\0csign1rc');
export const BLINDER_TAG = ascii('csign1bl');

export const BLINDER_BYTES = 16;
/** Offsets inside a leaf part. */
export const LEAF_PART_BYTES = 89;
export const BLINDER_AT = 9;
export const MAILBOX_AT = 25;
export const ENVELOPE_HASH_AT = 57;
export const TAG_BYTES = 8;
/** Of a submit frame: type, slot, flags, first counter, count. The bundles follow. */
export const SUBMIT_HEADER_BYTES = 14;
/** In the flags of a submit frame: a submission signature stands before the count. */
export const SIGNED_FLAG = 1;

/** Offset of recipient `i`'s leaf part in a bundle that starts at `start`. */
export function leafPartAt(start: number, i: number): number {
  return start + 2 + i * LEAF_PART_BYTES;
}
