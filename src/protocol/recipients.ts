/**
 * The recipients' part of a message hash beyond one recipient: leaf hashes, pages of them, their tree.
 *
 *   leaf  0x00 ‖ csign1rc ‖ blinder 16 ‖ mailbox 32 ‖ envelope hash 32, as it lies in the bundle
 *   page  0x00 ‖ csign1rp ‖ n × leaf hash 32, n ≤ 16
 */
import { sha256Into } from '#crypto';
import { LEAF_PART_BYTES } from './bundle-layout.js';
import { append, ascii, HASH_BYTES, type Writer } from './bytes.js';
import { RECIPIENT_PAGE } from './limits.js';
import { buildTree, multiproof, type Tree } from './merkle.js';

const RECIPIENT_PAGE_PREFIX = ascii('\0csign1rp');
const NOTHING = new Uint8Array(0);

/** Offset of recipient `i`'s leaf part in a bundle that starts at `start`. */
export function leafPartAt(start: number, i: number): number {
  return start + 2 + i * LEAF_PART_BYTES;
}

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

/** H(0x00 ‖ `csign1rp` ‖ n × 32). */
export function recipientPageInto(leafHashes: Uint8Array, out: Uint8Array, at: number): void {
  const preimage = new Uint8Array(RECIPIENT_PAGE_PREFIX.length + leafHashes.length);
  preimage.set(RECIPIENT_PAGE_PREFIX);
  preimage.set(leafHashes, RECIPIENT_PAGE_PREFIX.length);
  sha256Into(preimage, out, at);
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
  out: Writer,
  { view, at, pages }: RecipientLeaves,
  recipients: number,
  position: number,
): void {
  const page = Math.floor(position / RECIPIENT_PAGE);
  const from = page * RECIPIENT_PAGE;
  const to = Math.min(from + RECIPIENT_PAGE, recipients);
  const path = pages ? multiproof(pages, [page]) : NOTHING;
  out.u8(to - from - 1 + path.length / HASH_BYTES);
  append(out, view, at + from * HASH_BYTES, (position - from) * HASH_BYTES);
  append(out, view, at + (position + 1) * HASH_BYTES, (to - position - 1) * HASH_BYTES);
  out.bytes(path);
}

/** The tree over the pages of leaf hashes, for more recipients than a page holds. */
export function pagesTree(leafHashes: Uint8Array): Tree {
  return buildTree(recipientPages(leafHashes, leafHashes.length / HASH_BYTES));
}
