/**
 * Bundles: what a sender submits, how it is laid out.
 *
 *   bundle           := recipients 2 ‖ recipients × leaf part ‖ recipients × envelope part ‖ body part
 *   leaf part        := 0x00 ‖ csign1rc ‖ blinder 16 ‖ mailbox 32 ‖ envelope hash 32      (89 bytes)
 *   envelope part    := length 4 ‖ csign1en ‖ envelope;  length 0 alone if the envelope is empty
 *   body part        := length 4 ‖ csign1bo ‖ body
 *
 * Lengths count the tag. The parts are the exact preimages of their hashes, so they are hashed in
 * place. Recipients are sorted by mailbox, strictly rising.
 */
import { sha256Into } from '#crypto';
import {
  BLINDER_AT,
  BODY_TAG,
  ENVELOPE_HASH_AT,
  ENVELOPE_TAG,
  LEAF_PART_BYTES,
  LEAF_PREFIX,
  leafPartAt,
  MAILBOX_AT,
  TAG_BYTES,
} from './bundle-layout.js';
import { compareBytes, FormatError, getU16, getU32, HASH_BYTES, sameBytes, viewOf } from './bytes.js';

export { BLINDER_BYTES, LEAF_PART_BYTES } from './bundle-layout.js';

/** Bounds a bundle must keep; from the manifest's policy. Sizes in bytes, without tags. */
export interface BundleLimits {
  readonly recipients: number;
  readonly bodyBytes: number;
  readonly envelopeBytes: number;
}

/** A bundle's bytes may be bad in size or in form; the two have different error codes. */
export class BundleError extends FormatError {
  constructor(
    readonly code: 'bundle-malformed' | 'bundle-too-large',
    message: string,
  ) {
    super(message);
  }
}

/** A cursor over bundles that were parsed before: one object, moved from bundle to bundle. */
export class BundleView {
  bytes: Uint8Array = new Uint8Array(0);
  /** Of the same bytes. */
  view = viewOf(this.bytes);
  start = 0;
  /** One past the last byte. */
  end = 0;
  recipients = 0;
  /** Of the body part's tag; the part ends at `end`. */
  bodyAt = 0;
  protected envelopesAt = 0;

  /** Moves to a bundle in [at, end) that `parse` has read before, wherever its bytes lay then: no checks. */
  jump(bytes: Uint8Array, at: number, end: number): void {
    this.over(bytes);
    this.start = at;
    this.end = end;
    this.recipients = getU16(bytes, at);
    this.envelopesAt = leafPartAt(at, this.recipients);
    this.bodyAt = this.envelopeAt(this.recipients) + 4;
  }

  protected over(bytes: Uint8Array): void {
    if (bytes === this.bytes) return;
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  /** Offset of recipient `i`'s leaf part. */
  leafAt(i: number): number {
    return leafPartAt(this.start, i);
  }

  blinderAt(i: number): number {
    return this.leafAt(i) + BLINDER_AT;
  }

  mailboxAt(i: number): number {
    return mailboxAt(this.start, i);
  }

  /** Offset of recipient `i`'s envelope part (its length field). Walks the parts before it. */
  envelopeAt(i: number): number {
    let at = this.envelopesAt;
    for (let k = 0; k < i; k++) at += 4 + this.view.getUint32(at);
    return at;
  }
}

/**
 * A cursor over what may be bundles, so that a frame of 512 costs no allocation. `parse` checks layout, order
 * and sizes; envelope hashes are checked by `checkEnvelopes`.
 */
export class BundleCursor extends BundleView {
  constructor(private readonly limits: BundleLimits) {
    super();
  }

  /** Reads the bundle at `at`; it must end at or before `limit`. Throws `BundleError`. Returns `end`. */
  parse(bytes: Uint8Array, at: number, limit: number): number {
    this.over(bytes);
    this.start = at;
    need(at, 2, limit);
    this.recipients = getU16(bytes, at);
    if (this.recipients === 0) throw new BundleError('bundle-malformed', 'a bundle needs a recipient');
    if (this.recipients > this.limits.recipients) {
      throw new BundleError(
        'bundle-too-large',
        `${this.recipients} recipients, at most ${this.limits.recipients} allowed`,
      );
    }
    need(at + 2, this.recipients * LEAF_PART_BYTES, limit);
    this.envelopesAt = at + 2 + this.recipients * LEAF_PART_BYTES;
    this.checkLeaves();
    let next = this.envelopesAt;
    for (let i = 0; i < this.recipients; i++) next = this.checkEnvelope(i, next, limit);
    this.end = checkPart(bytes, next, limit, BODY_TAG, this.limits.bodyBytes, 'body');
    this.bodyAt = next + 4;
    return this.end;
  }

  private checkLeaves(): void {
    for (let i = 0, at = this.start + 2; i < this.recipients; i++, at += LEAF_PART_BYTES) {
      if (!sameBytes(this.bytes, at, LEAF_PREFIX, 0, LEAF_PREFIX.length)) {
        throw new BundleError('bundle-malformed', `recipient ${i}: leaf tag expected`);
      }
      const mailboxAt = at + MAILBOX_AT;
      if (i > 0 && compareBytes(this.bytes, mailboxAt - LEAF_PART_BYTES, this.bytes, mailboxAt, 32) >= 0) {
        throw new BundleError('bundle-malformed', `recipient ${i}: mailboxes must rise strictly`);
      }
    }
  }

  private checkEnvelope(i: number, at: number, limit: number): number {
    need(at, 4, limit);
    if (this.view.getUint32(at) !== 0) {
      const end = checkPart(this.bytes, at, limit, ENVELOPE_TAG, this.limits.envelopeBytes, 'envelope');
      if (end === at + 4 + TAG_BYTES)
        throw new BundleError('bundle-malformed', 'an empty envelope has length 0 and no tag');
      return end;
    }
    const hashAt = this.leafAt(i) + ENVELOPE_HASH_AT;
    for (let k = 0; k < HASH_BYTES; k += 4) {
      if (this.view.getInt32(hashAt + k) !== 0)
        throw new BundleError('bundle-malformed', `recipient ${i}: envelope missing`);
    }
    return at + 4;
  }

  /** Throws `BundleError` when a leaf names another hash than its envelope has. One hash per envelope. */
  checkEnvelopes(): void {
    for (let i = 0, at = this.envelopesAt; i < this.recipients; i++) {
      const length = getU32(this.bytes, at);
      if (length > 0) {
        sha256Into(this.bytes.subarray(at + 4, at + 4 + length), scratch, 0);
        if (!sameBytes(scratch, 0, this.bytes, this.leafAt(i) + ENVELOPE_HASH_AT, HASH_BYTES)) {
          throw new BundleError(
            'bundle-malformed',
            `recipient ${i}: envelope hash does not match its envelope`,
          );
        }
      }
      at += 4 + length;
    }
  }
}

const scratch = /* @__PURE__ */ new Uint8Array(HASH_BYTES);

/** Offset of recipient `i`'s mailbox in a bundle that starts at `start`. */
export function mailboxAt(start: number, i: number): number {
  return leafPartAt(start, i) + MAILBOX_AT;
}

function need(at: number, length: number, limit: number): void {
  if (length > limit - at) throw new BundleError('bundle-malformed', `bundle cut short at byte ${at}`);
}

function checkPart(
  bytes: Uint8Array,
  at: number,
  limit: number,
  tag: Uint8Array,
  most: number,
  what: string,
): number {
  need(at, 4, limit);
  const length = getU32(bytes, at);
  need(at + 4, length, limit);
  if (length < TAG_BYTES || !sameBytes(bytes, at + 4, tag, 0, TAG_BYTES)) {
    throw new BundleError('bundle-malformed', `${what} tag expected`);
  }
  if (length - TAG_BYTES > most) {
    throw new BundleError(
      'bundle-too-large',
      `${what} of ${length - TAG_BYTES} bytes, at most ${most} allowed`,
    );
  }
  return at + 4 + length;
}
