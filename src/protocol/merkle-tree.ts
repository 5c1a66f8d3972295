/** Whole trees (merkle.ts), built of all their leaves, and what they prove. */
import { concat, HASH_BYTES } from './bytes.js';
import { EMPTY_ROOT, nodeInto } from './merkle.js';

/** Level 0 holds the leaf hashes, the last level the root alone. An empty tree has one empty level. */
export interface Tree {
  readonly size: number;
  readonly levels: readonly Uint8Array[];
}

/** Builds the whole tree over `size` packed leaf hashes. `size − 1` hash calls. */
export function buildTree(leaves: Uint8Array, size = leaves.length / HASH_BYTES): Tree {
  const levels = [leaves.subarray(0, size * HASH_BYTES)];
  for (let n = size; n > 1; n = (n + 1) >> 1) {
    const below = levels[levels.length - 1]!;
    const level = new Uint8Array(((n + 1) >> 1) * HASH_BYTES);
    for (let i = 0; i + 1 < n; i += 2) nodeInto(below, i * 32, below, (i + 1) * 32, level, (i >> 1) * 32);
    if (n % 2 === 1) level.set(below.subarray((n - 1) * 32, n * 32), (n >> 1) * 32);
    levels.push(level);
  }
  return { size, levels };
}

/** The root over packed leaf hashes. */
export function merkleRoot(leaves: Uint8Array, size = leaves.length / HASH_BYTES): Uint8Array {
  if (size === 0) return EMPTY_ROOT;
  const nodes = leaves.slice(0, size * HASH_BYTES);
  for (let n = size; n > 1; n = Math.ceil(n / 2)) {
    for (let i = 0; i + 1 < n; i += 2) nodeInto(nodes, i * 32, nodes, (i + 1) * 32, nodes, i * 16);
    if (n % 2 === 1) nodes.copyWithin(n * 16 - 16, (n - 1) * 32, n * 32);
  }
  return nodes.subarray(0, HASH_BYTES);
}

/**
 * The hashes that, with the leaves at `indices` (strictly rising), give the root: level by level from
 * the leaves up, left to right within a level. For one index this is the RFC 6962 audit path.
 */
export function multiproof(tree: Tree, indices: readonly number[]): Uint8Array {
  const hashes: Uint8Array[] = [];
  let known = [...indices];
  for (let level = 0, n = tree.size; n > 1; level++, n = (n + 1) >> 1) {
    const nodes = tree.levels[level]!;
    const above: number[] = [];
    for (let i = 0; i < known.length; i++) {
      const sibling = known[i]! ^ 1;
      if (known[i + 1] === sibling) i++;
      else if (sibling < n) hashes.push(nodes.subarray(sibling * 32, sibling * 32 + 32));
      above.push(sibling >> 1);
    }
    known = above;
  }
  return concat(...hashes);
}
