/** Lays out bundles (bundle.ts) and submit frames, as a sender does. */
import { sha256Into } from '#crypto';
import { BundleError } from './bundle.js';
import {
  BLINDER_AT,
  BLINDER_BYTES,
  BLINDER_TAG,
  BODY_TAG,
  ENVELOPE_HASH_AT,
  ENVELOPE_TAG,
  LEAF_PART_BYTES,
  LEAF_PREFIX,
  MAILBOX_AT,
  SIGNED_FLAG,
  SUBMIT_HEADER_BYTES,
  TAG_BYTES,
} from './bundle-layout.js';
import { compareBytes, equalBytes, HASH_BYTES, putU16, putU32, Writer } from './bytes.js';
import { FRAME } from './frames.js';

export interface Recipient {
  /** 32 bytes. */
  readonly mailbox: Uint8Array;
  /** Sealed to this recipient alone; may be empty. */
  readonly envelope: Uint8Array;
}

/** First 16 bytes of H(`csign1bl` ‖ roster key 32 ‖ mailbox 32). */
export function blinderFor(rosterKey: Uint8Array, mailbox: Uint8Array): Uint8Array {
  const blinder = new Uint8Array(BLINDER_BYTES);
  blinderInto(rosterKey, mailbox, blinder, 0);
  return blinder;
}

const scratch = new Uint8Array(HASH_BYTES);
const blinderPreimage = new Uint8Array(TAG_BYTES + 64);
blinderPreimage.set(BLINDER_TAG);

/** Writes the 16 bytes to `out` at `at`. */
function blinderInto(rosterKey: Uint8Array, mailbox: Uint8Array, out: Uint8Array, at: number): void {
  for (let i = 0; i < 32; i++) {
    blinderPreimage[TAG_BYTES + i] = rosterKey[i]!;
    blinderPreimage[TAG_BYTES + 32 + i] = mailbox[i]!;
  }
  sha256Into(blinderPreimage, scratch, 0);
  for (let i = 0; i < BLINDER_BYTES; i++) out[at + i] = scratch[i]!;
}

/** Writes the blinder of recipient `i` to `out` at `at`. */
export type PutBlinder = (i: number, out: Uint8Array, at: number) => void;
/** Gives memory that holds zeros. */
export type Allocate = (length: number) => Uint8Array;

const fresh: Allocate = (length) => new Uint8Array(length);

/**
 * Lays out a bundle. `recipients` in any order, each mailbox once; `blinders` are made of a roster key (32 bytes),
 * or put there. Throws `BundleError` on no recipient, one named twice, or more than 65,535.
 */
export function encodeBundle(
  recipients: readonly Recipient[],
  body: Uint8Array,
  blinders: Uint8Array | PutBlinder,
  allocate = fresh,
): Uint8Array {
  const { length } = recipients;
  if (length === 0 || length > 0xffff) {
    throw new BundleError('bundle-malformed', `recipients: expected 1 to 65535, got ${length}`);
  }
  const sorted =
    length === 1
      ? recipients
      : [...recipients].sort((a, b) => compareBytes(a.mailbox, 0, b.mailbox, 0, HASH_BYTES));
  for (let i = 1; i < length; i++) {
    if (equalBytes(sorted[i - 1]!.mailbox, sorted[i]!.mailbox)) {
      throw new BundleError('bundle-malformed', 'recipients: one mailbox is named twice');
    }
  }
  const put: PutBlinder =
    typeof blinders === 'function'
      ? blinders
      : (i, out, at) => blinderInto(blinders, sorted[i]!.mailbox, out, at);
  return layOut(sorted, body, put, allocate);
}

/** The bundle's bytes, with recipients in the order given. */
export function layOut(
  recipients: readonly Recipient[],
  body: Uint8Array,
  putBlinder: PutBlinder,
  allocate = fresh,
): Uint8Array {
  const { length } = recipients;
  let envelopes = 0;
  for (const { envelope } of recipients) envelopes += 4 + (envelope.length && envelope.length + TAG_BYTES);
  const out = allocate(2 + length * LEAF_PART_BYTES + envelopes + 4 + TAG_BYTES + body.length);
  putU16(out, 0, length);
  let at = 2 + length * LEAF_PART_BYTES;
  for (let i = 0; i < length; i++) {
    const { mailbox, envelope } = recipients[i]!;
    const leafAt = 2 + i * LEAF_PART_BYTES;
    out.set(LEAF_PREFIX, leafAt);
    putBlinder(i, out, leafAt + BLINDER_AT);
    out.set(mailbox, leafAt + MAILBOX_AT);
    const partAt = at + 4;
    at = putPart(out, at, ENVELOPE_TAG, envelope, envelope.length > 0);
    if (envelope.length > 0) sha256Into(out.subarray(partAt, at), out, leafAt + ENVELOPE_HASH_AT);
  }
  putPart(out, at, BODY_TAG, body, true);
  return out;
}

function putPart(
  out: Uint8Array,
  at: number,
  tag: Uint8Array,
  content: Uint8Array,
  present: boolean,
): number {
  if (!present) return at + 4;
  putU32(out, at, TAG_BYTES + content.length);
  out.set(tag, at + 4);
  out.set(content, at + 4 + TAG_BYTES);
  return at + 4 + TAG_BYTES + content.length;
}

/** A submit frame of bundles that are laid out already; with a signature of 64 bytes over the submission, or none. */
export function encodeSubmit(
  slot: number,
  firstCounter: number,
  bundles: readonly Uint8Array[],
  signature: Uint8Array = NO_SIGNATURE,
): Uint8Array {
  const { length } = signature;
  const out = new Writer(SUBMIT_HEADER_BYTES + length + bundles.reduce((sum, each) => sum + each.length, 0));
  out
    .u8(FRAME.submit)
    .u16(slot)
    .u8(length && SIGNED_FLAG)
    .u64(firstCounter);
  out.bytes(signature).u16(bundles.length);
  for (const each of bundles) out.bytes(each);
  return out.done();
}

const NO_SIGNATURE = new Uint8Array(0);
