/** Message hashes (message-hash.ts) of whole bundles, one by one, as senders and those who check need them. */
import { sha256Into } from '#crypto';
import type { BundleView } from './bundle.js';
import { LEAF_PART_BYTES } from './bundle-layout.js';
import { copyShort, HASH_BYTES, viewOf } from './bytes.js';
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
  private readonly view = viewOf(this.preimage);
  /** The recipients' leaf hashes of the newest message that had more than one. */
  leafHashes = new Uint8Array(0);

  /** Hashes the bundle under the cursor; writes 32 bytes to `out` at `at`. */
  bundle(counter: number, bundle: BundleView, out: Uint8Array, at: number): void {
    const { bytes, recipients } = bundle;
    const body = bytes.subarray(bundle.bodyAt, bundle.end);
    if (recipients === 1) {
      copyShort(bundle.view, bundle.blinderAt(0), this.view, R_AT, LEAF_BYTES);
      return this.finish(counter, 1, LEAF_BYTES, body, out, at);
    }
    const leaves = new Uint8Array(recipients * HASH_BYTES);
    for (let i = 0; i < recipients; i++) {
      const leaf = bundle.leafAt(i);
      sha256Into(bytes.subarray(leaf, leaf + LEAF_PART_BYTES), leaves, i * HASH_BYTES);
    }
    this.leafHashes = leaves;
    const R = recipients <= RECIPIENT_PAGE ? leaves : merkleRoot(recipientPages(leaves, recipients));
    this.withR(counter, recipients, R, body, out, at);
  }
}
