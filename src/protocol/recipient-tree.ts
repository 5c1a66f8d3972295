/** The tree under R of a bundle with several recipients (recipients.ts), by who has the whole bundle. */
import { sha256Into } from '#crypto';
import { concat, HASH_BYTES } from './bytes.js';
import type { FrameWriter } from './frame-writer.js';
import { RECIPIENT_PAGE } from './limits.js';
import { buildTree, multiproof, type Tree } from './merkle-tree.js';
import { RECIPIENT_PAGE_PREFIX } from './recipients.js';

const NOTHING = new Uint8Array(0);

/** Page hashes over packed recipient leaf hashes, 16 to a page. */
export function recipientPages(leafHashes: Uint8Array, count: number): Uint8Array {
  const pages = Math.ceil(count / RECIPIENT_PAGE);
  const hashes = new Uint8Array(pages * HASH_BYTES);
  for (let page = 0; page < pages; page++) {
    const from = page * RECIPIENT_PAGE * HASH_BYTES;
    const to = Math.min(from + RECIPIENT_PAGE * HASH_BYTES, count * HASH_BYTES);
    sha256Into(concat(RECIPIENT_PAGE_PREFIX, leafHashes.subarray(from, to)), hashes, page * HASH_BYTES);
  }
  return hashes;
}

/** The leaf hashes of one bundle's recipients, of whom there are more than one. */
export interface RecipientLeaves {
  /** The hashes lie from `at` on. */
  readonly view: DataView;
  readonly at: number;
  /** Over their pages; null when R lists them without a tree. */
  readonly pages: Tree | null;
}

/** Writes number and hashes of what recipient `position` needs, beside its own leaf, to rebuild R. */
export function putSiblings(
  out: FrameWriter,
  { view, at, pages }: RecipientLeaves,
  recipients: number,
  position: number,
): void {
  const page = Math.floor(position / RECIPIENT_PAGE);
  const from = page * RECIPIENT_PAGE;
  const to = Math.min(from + RECIPIENT_PAGE, recipients);
  const path = pages ? multiproof(pages, [page]) : NOTHING;
  out.u8(to - from - 1 + path.length / HASH_BYTES);
  out.append(view, at + from * HASH_BYTES, (position - from) * HASH_BYTES);
  out.append(view, at + (position + 1) * HASH_BYTES, (to - position - 1) * HASH_BYTES);
  out.bytes(path);
}

/** The tree over the pages of leaf hashes, for more recipients than a page holds. */
export function pagesTree(leafHashes: Uint8Array): Tree {
  return buildTree(recipientPages(leafHashes, leafHashes.length / HASH_BYTES));
}
