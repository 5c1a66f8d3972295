/** The tree under R of a bundle with several recipients (recipients.ts), by who has the whole bundle. */
import { sha256Into } from '#crypto';
import type { BundleView } from './bundle.js';
import { LEAF_PART_BYTES, leafPartAt } from './bundle-layout.js';
import { HASH_BYTES } from './bytes.js';
import type { FrameWriter } from './frame-writer.js';
import { RECIPIENT_PAGE } from './limits.js';
import { buildTree, multiproof, type Tree } from './merkle-tree.js';
import { recipientPageInto } from './recipients.js';

const NOTHING = new Uint8Array(0);

/** Page hashes over packed recipient leaf hashes, 16 to a page. */
export function recipientPages(leafHashes: Uint8Array, count: number): Uint8Array {
  const pages = Math.ceil(count / RECIPIENT_PAGE);
  const hashes = new Uint8Array(pages * HASH_BYTES);
  for (let page = 0; page < pages; page++) {
    const from = page * RECIPIENT_PAGE * HASH_BYTES;
    recipientPageInto(
      leafHashes.subarray(from, Math.min(from + RECIPIENT_PAGE * HASH_BYTES, count * HASH_BYTES)),
      hashes,
      page * HASH_BYTES,
    );
  }
  return hashes;
}

/** The tree under R of one bundle: hashed once, whichever of its recipients get it. */
export class RecipientTree {
  private readonly leaves: Uint8Array;
  /** Over the pages; null when the leaves are listed without a tree. */
  private readonly pages: Tree | null;

  /** Of the bundle under the cursor; null when it has one recipient, which needs no tree. One hash per recipient. */
  static of(bundle: BundleView): RecipientTree | null {
    return bundle.recipients === 1 ? null : new RecipientTree(bundle);
  }

  private constructor({ recipients, bytes, start }: BundleView) {
    this.leaves = new Uint8Array(recipients * HASH_BYTES);
    for (let i = 0, at = leafPartAt(start, 0); i < recipients; i++, at += LEAF_PART_BYTES) {
      sha256Into(bytes.subarray(at, at + LEAF_PART_BYTES), this.leaves, i * HASH_BYTES);
    }
    this.pages = recipients > RECIPIENT_PAGE ? buildTree(recipientPages(this.leaves, recipients)) : null;
  }

  /** Writes number and hashes of what recipient `position` needs, beside its own leaf, to rebuild R. */
  putSiblings(out: FrameWriter, position: number): void {
    const { leaves, pages } = this;
    const page = Math.floor(position / RECIPIENT_PAGE);
    const from = page * RECIPIENT_PAGE;
    const to = Math.min(from + RECIPIENT_PAGE, leaves.length / HASH_BYTES);
    const path = pages ? multiproof(pages, [page]) : NOTHING;
    out.u8(to - from - 1 + path.length / HASH_BYTES);
    out.slice(leaves, from * HASH_BYTES, (position - from) * HASH_BYTES);
    out.slice(leaves, (position + 1) * HASH_BYTES, (to - position - 1) * HASH_BYTES);
    out.bytes(path);
  }
}
