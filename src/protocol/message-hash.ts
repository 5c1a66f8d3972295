/**
 * Message hashes: what names a message everywhere.
 *
 *   message hash := H(csign1ms ‖ server id 32 ‖ sender 32 ‖ counter 8 ‖ recipients 2 ‖ R ‖ body hash 32)
 *   R            := the 80 leaf bytes for one recipient; the leaf hashes for 2 to 16; beyond, the root
 *                   over pages of up to 16 leaf hashes, page 0x00 ‖ csign1rp ‖ n × 32
 */
import { sha256Into } from '#crypto';
import type { BundleView } from './bundle.js';
import { LEAF_PART_BYTES } from './bundle-layout.js';
import { ascii, copyShort, HASH_BYTES, putU16, putU64, viewOf } from './bytes.js';
import { RECIPIENT_PAGE } from './limits.js';
import { merkleRoot } from './merkle.js';
import { recipientPages } from './recipients.js';

const MESSAGE_TAG = ascii('csign1ms');
// Offsets inside the message preimage.
const SERVER_AT = 8;
const SENDER_AT = 40;
const COUNTER_AT = 72;
const COUNT_AT = 80;
const R_AT = 82;
const LEAF_BYTES = 80;

/**
 * Hashes the messages of one server. Keeps one preimage buffer: `sender` once per frame, then two hash
 * calls a message with one recipient, one more per recipient (leaf) otherwise. Envelope hashes are
 * checked elsewhere.
 */
export class MessageHasher {
  private readonly preimage = new Uint8Array(R_AT + RECIPIENT_PAGE * HASH_BYTES + HASH_BYTES);
  /** As much of it as the message before took: most have as many recipients as the one before. */
  private whole = this.preimage;
  private readonly view = viewOf(this.preimage);
  /** The recipients' leaf hashes of the newest message that had more than one. */
  leafHashes = new Uint8Array(0);

  constructor(serverId: Uint8Array) {
    this.preimage.set(MESSAGE_TAG);
    this.preimage.set(serverId, SERVER_AT);
  }

  /** Sets the sender (32 bytes at `at`) of the messages that follow. */
  sender(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < 32; i++) this.preimage[SENDER_AT + i] = bytes[at + i]!;
  }

  /** Hashes the bundle under the cursor; writes 32 bytes to `out` at `at`. */
  bundle(counter: number, bundle: BundleView, out: Uint8Array, at: number): void {
    const { bytes, recipients } = bundle;
    if (recipients === 1) {
      copyShort(bundle.view, bundle.blinderAt(0), this.view, R_AT, LEAF_BYTES);
      this.finish(counter, 1, LEAF_BYTES, bytes, bundle.bodyAt, bundle.end, out, at);
      return;
    }
    const leaves = new Uint8Array(recipients * HASH_BYTES);
    for (let i = 0; i < recipients; i++) {
      const leaf = bundle.leafAt(i);
      sha256Into(bytes.subarray(leaf, leaf + LEAF_PART_BYTES), leaves, i * HASH_BYTES);
    }
    this.leafHashes = leaves;
    const R = recipients <= RECIPIENT_PAGE ? leaves : merkleRoot(recipientPages(leaves, recipients));
    this.preimage.set(R, R_AT);
    this.finish(counter, recipients, R.length, bytes, bundle.bodyAt, bundle.end, out, at);
  }

  /** Hashes a message of which `R` is known; the body part (with tag) is `bytes[bodyAt, bodyEnd)`. */
  withR(
    counter: number,
    count: number,
    R: Uint8Array,
    bytes: Uint8Array,
    bodyAt: number,
    bodyEnd: number,
    out: Uint8Array,
    at: number,
  ): void {
    this.preimage.set(R, R_AT);
    this.finish(counter, count, R.length, bytes, bodyAt, bodyEnd, out, at);
  }

  private finish(
    counter: number,
    count: number,
    rLength: number,
    bytes: Uint8Array,
    bodyAt: number,
    bodyEnd: number,
    out: Uint8Array,
    at: number,
  ): void {
    putU64(this.preimage, COUNTER_AT, counter);
    putU16(this.preimage, COUNT_AT, count);
    sha256Into(bytes.subarray(bodyAt, bodyEnd), this.preimage, R_AT + rLength);
    const length = R_AT + rLength + HASH_BYTES;
    if (this.whole.length !== length) this.whole = this.preimage.subarray(0, length);
    sha256Into(this.whole, out, at);
  }
}
