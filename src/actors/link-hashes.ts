/** Leaf hashes of an epoch's links, where they lie packed, and the tree over them: as many at once as can be (hash-lanes.ts). */
import { HashLanes, MOST_BYTES } from '../crypto/hash-lanes.js';
import {
  buildTree,
  copy32,
  copyShort,
  type HashPairs,
  LINK_ENTRY_BYTES,
  LINK_HEADER_BYTES,
  LINK_PREFIX,
  link,
  putU64,
  type Tree,
  viewOf,
} from '../protocol/index.js';
import type { Links } from './epoch-file.js';

/** Of this thread: whoever hashes is done when it returns. */
const lanes = new HashLanes();

const PREFIX = viewOf(LINK_PREFIX);

/** Fills in the leaf hashes of links of which all else is there. */
export function hashLinks(links: Links): void {
  const { view, bytes, epoch, mailboxes } = links;
  for (let i = 0; i < mailboxes; i++) {
    const count = links.rowCount(i);
    const leafAt = links.leafAt(links.position(i));
    const rowAt = (k: number) => links.rowAt(links.firstRow(i) + k);
    if (linkBytes(count) > MOST_BYTES)
      link(view, links.headerAt(i), epoch, links.chainBefore(i), view, rowAt, count, bytes, leafAt);
    else putLink(links, i, lanes.next(linkBytes(count), view, leafAt));
  }
  lanes.finish();
}

const linkBytes = (entries: number) => LINK_HEADER_BYTES + entries * LINK_ENTRY_BYTES;

/** The preimage of a link of one part (chain.ts). */
function putLink(links: Links, i: number, at: number): void {
  const { view } = links;
  const { bytes, view: out } = lanes;
  const first = links.firstRow(i);
  const count = links.rowCount(i);
  copyShort(PREFIX, 0, out, at, 9);
  copy32(view, links.headerAt(i), out, at + 9);
  putU64(bytes, at + 41, links.epoch);
  out.setUint32(at + 49, 1); // part 0 of 1
  // Last epoch, total and head lie there as they do here; the total is that through this link.
  copyShort(view, links.chainAt(i), out, at + 53, 48);
  putU64(bytes, at + 61, links.totalAfter(i));
  out.setUint16(at + 101, count);
  for (let x = first, to = at + LINK_HEADER_BYTES; x < first + count; x++, to += LINK_ENTRY_BYTES)
    copyShort(view, links.rowAt(x), out, to, LINK_ENTRY_BYTES);
}

/** The tree over leaf hashes. */
export function treeOver(leafHashes: Uint8Array): Tree {
  return buildTree(leafHashes, undefined, hashPairs);
}

const hashPairs: HashPairs = (pairs, count, hashes) => {
  const out = viewOf(hashes);
  for (let i = 0; i < count; i++) {
    const at = lanes.next(65, out, i * 32);
    lanes.view.setUint8(at, 0x01);
    copyShort(pairs, i * 64, lanes.view, at + 1, 64);
  }
  lanes.finish();
};
