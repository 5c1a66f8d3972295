/** Whole trees (merkle.ts), built of all their leaves, and what they prove. */
import { sha256Into } from '#crypto';
import { copyShort, HASH_BYTES, viewOf } from './bytes.js';
import { FrameWriter } from './frame-writer.js';
import { EMPTY_ROOT } from './merkle.js';

/** Level 0 holds the leaf hashes, the last level the root alone. An empty tree has one empty level. */
export interface Tree {
  readonly size: number;
  readonly levels: readonly Uint8Array[];
}

const preimage = new Uint8Array(1 + 2 * HASH_BYTES);
preimage[0] = 0x01;
const preimageView = viewOf(preimage);

/** Writes H(0x01 ‖ left ‖ right) to `out`; the two hashes lie side by side. */
function pairInto(pair: DataView, pairAt: number, out: Uint8Array, at: number): void {
  copyShort(pair, pairAt, preimageView, 1, 2 * HASH_BYTES);
  sha256Into(preimage, out, at);
}

/** Writes the hashes of so many pairs, that lie side by side, to `out`, which lie side by side there. */
export type HashPairs = (pairs: DataView, count: number, out: Uint8Array) => void;

const hashPairs: HashPairs = (pairs, count, out) => {
  for (let i = 0; i < count; i++) pairInto(pairs, i * 64, out, i * 32);
};

/** Builds the whole tree over `size` packed leaf hashes. `size − 1` hash calls. */
export function buildTree(leaves: Uint8Array, size = leaves.length / HASH_BYTES, hash = hashPairs): Tree {
  const levels = [leaves.subarray(0, size * HASH_BYTES)];
  for (let n = size; n > 1; n = (n + 1) >> 1) {
    const below = levels[levels.length - 1]!;
    const level = new Uint8Array(((n + 1) >> 1) * HASH_BYTES);
    hash(viewOf(below), n >> 1, level);
    if (n % 2 === 1) level.set(below.subarray((n - 1) * 32, n * 32), (n >> 1) * 32);
    levels.push(level);
  }
  return { size, levels };
}

/** The root of a tree that was built. */
export function treeRoot({ size, levels }: Tree): Uint8Array {
  return size === 0 ? EMPTY_ROOT : levels[levels.length - 1]!;
}

/** The root over packed leaf hashes. */
export function merkleRoot(leaves: Uint8Array, size = leaves.length / HASH_BYTES): Uint8Array {
  if (size === 0) return EMPTY_ROOT;
  const nodes = leaves.slice(0, size * HASH_BYTES);
  const view = viewOf(nodes);
  for (let n = size; n > 1; n = Math.ceil(n / 2)) {
    for (let i = 0; i + 1 < n; i += 2) pairInto(view, i * 32, nodes, i * 16);
    if (n % 2 === 1) nodes.copyWithin(n * 16 - 16, (n - 1) * 32, n * 32);
  }
  return nodes.subarray(0, HASH_BYTES);
}

/**
 * The hashes that, with the leaves at `indices` (strictly rising), give the root: level by level from
 * the leaves up, left to right within a level. For one index this is the RFC 6962 audit path.
 */
export function multiproof(tree: Tree, indices: readonly number[]): Uint8Array {
  const out = new FrameWriter();
  putMultiproof(out, tree, indices);
  return out.done();
}

/** Of the level that a proof has come to. */
let known = new Uint32Array(1024);

/** Writes what `multiproof` gives. */
export function putMultiproof(out: FrameWriter, tree: Tree, indices: readonly number[]): void {
  let count = indices.length;
  if (count > known.length) known = new Uint32Array(count * 2);
  known.set(indices);
  for (let level = 0, n = tree.size; n > 1; level++, n = (n + 1) >> 1) {
    const nodes = viewOf(tree.levels[level]!);
    let above = 0;
    for (let i = 0; i < count; i++) {
      const sibling = known[i]! ^ 1;
      if (i + 1 < count && known[i + 1] === sibling) i++;
      else if (sibling < n) out.append(nodes, sibling * 32, 32);
      known[above++] = sibling >> 1;
    }
    count = above;
  }
}
