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
import { ascii, HASH_BYTES, putU16, putU64 } from './bytes.js';
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
      const leaf = bundle.blinderAt(0);
      for (let i = 0; i < LEAF_BYTES; i++) this.preimage[R_AT + i] = bytes[leaf + i]!;
      this.finish(counter, 1, LEAF_BYTES, bytes.subarray(bundle.bodyAt, bundle.end), out, at);
      return;
    }
    const leaves = recipients <= RECIPIENT_PAGE ? this.preimage : new Uint8Array(recipients * HASH_BYTES);
    const leavesAt = recipients <= RECIPIENT_PAGE ? R_AT : 0;
    for (let i = 0; i < recipients; i++) {
      const leaf = bundle.leafAt(i);
      sha256Into(bytes.subarray(leaf, leaf + LEAF_PART_BYTES), leaves, leavesAt + i * HASH_BYTES);
    }
    if (leaves !== this.preimage) this.preimage.set(merkleRoot(recipientPages(leaves, recipients)), R_AT);
    const rLength = leaves === this.preimage ? recipients * HASH_BYTES : HASH_BYTES;
    this.finish(counter, recipients, rLength, bytes.subarray(bundle.bodyAt, bundle.end), out, at);
  }

  /** Hashes a message of which `R` is known; `body` is its part, with tag. */
  withR(counter: number, count: number, R: Uint8Array, body: Uint8Array, out: Uint8Array, at: number): void {
    this.preimage.set(R, R_AT);
    this.finish(counter, count, R.length, body, out, at);
  }

  private finish(
    counter: number,
    count: number,
    rLength: number,
    body: Uint8Array,
    out: Uint8Array,
    at: number,
  ): void {
    putU64(this.preimage, COUNTER_AT, counter);
    putU16(this.preimage, COUNT_AT, count);
    sha256Into(body, this.preimage, R_AT + rLength);
    const length = R_AT + rLength + HASH_BYTES;
    if (this.whole.length !== length) this.whole = this.preimage.subarray(0, length);
    sha256Into(this.whole, out, at);
  }
}
