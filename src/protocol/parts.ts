/** Parts of a bundle (bundle.ts), one by one, as its readers have them. */
import { sha256Into } from '#crypto';
import {
  BLINDER_AT,
  BODY_TAG,
  ENVELOPE_HASH_AT,
  ENVELOPE_TAG,
  LEAF_PART_BYTES,
  LEAF_PREFIX,
  MAILBOX_AT,
  TAG_BYTES,
} from './bundle-layout.js';
import { sameBytes } from './bytes.js';

/** A leaf part that is still to be filled in. */
export function emptyLeafPart(): Uint8Array {
  const part = new Uint8Array(LEAF_PART_BYTES);
  part.set(LEAF_PREFIX);
  return part;
}

/** The leaf part of a recipient: 0x00 ‖ `csign1rc` ‖ blinder ‖ mailbox ‖ envelope hash; `envelopePart` with tag, or empty. */
export function leafPart(blinder: Uint8Array, mailbox: Uint8Array, envelopePart: Uint8Array): Uint8Array {
  const part = emptyLeafPart();
  part.set(blinder, BLINDER_AT);
  part.set(mailbox, MAILBOX_AT);
  if (envelopePart.length > 0) sha256Into(envelopePart, part, ENVELOPE_HASH_AT);
  return part;
}

/** The 80 bytes of a leaf part that stand in the message hash of a message with one recipient. */
export function leafBytes(part: Uint8Array): Uint8Array {
  return part.subarray(BLINDER_AT);
}

/** Tag lengths, for readers of delivered parts. */
export function isBodyPart(part: Uint8Array): boolean {
  return part.length >= TAG_BYTES && sameBytes(part, 0, BODY_TAG, 0, TAG_BYTES);
}

/** Empty, or the tag and at least one byte. */
export function isEnvelopePart(part: Uint8Array): boolean {
  return part.length === 0 || (part.length > TAG_BYTES && sameBytes(part, 0, ENVELOPE_TAG, 0, TAG_BYTES));
}

/** What a part carries behind its tag. */
export function partContent(part: Uint8Array): Uint8Array {
  return part.subarray(Math.min(TAG_BYTES, part.length));
}
