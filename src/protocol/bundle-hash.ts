/** Message hashes (message-hash.ts) of whole bundles, as senders and inboxes need them. */
import { sha256Into } from '#crypto';
import type { BundleView } from './bundle.js';
import { LEAF_PART_BYTES } from './bundle-layout.js';
import { HASH_BYTES } from './bytes.js';
import { RECIPIENT_PAGE } from './limits.js';
import { merkleRoot } from './merkle-tree.js';
import { MessageHasher, R_AT } from './message-hash.js';
import { recipientPages } from './recipient-tree.js';

const LEAF_BYTES = 80;

/**
 * `sender` once per frame, then two hash calls a message with one recipient, one more per recipient (leaf)
 * otherwise. Envelope hashes are checked elsewhere.
 */
export class BundleHasher extends MessageHasher {
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
}
