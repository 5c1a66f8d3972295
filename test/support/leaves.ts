/** The leaf hashes of a bundle's recipients, as the server keeps them beside its bytes. */
import { sha256 } from '#crypto';
import { type BundleView, LEAF_PART_BYTES } from '../../src/protocol/bundle.js';
import { concat, viewOf } from '../../src/protocol/bytes.js';
import { RECIPIENT_PAGE } from '../../src/protocol/limits.js';
import { pagesTree, type RecipientLeaves } from '../../src/protocol/recipient-tree.js';

/** Null when there is one recipient. */
export function leavesOf(bundle: BundleView): RecipientLeaves | null {
  const { recipients, bytes } = bundle;
  if (recipients === 1) return null;
  const at = Array.from({ length: recipients }, (_, i) => bundle.leafAt(i));
  const hashes = concat(...at.map((leaf) => sha256(bytes.subarray(leaf, leaf + LEAF_PART_BYTES))));
  // Not at the start, as they lie behind a bundle.
  const view = viewOf(concat(new Uint8Array(7), hashes));
  return { view, at: 7, pages: recipients > RECIPIENT_PAGE ? pagesTree(hashes) : null };
}
