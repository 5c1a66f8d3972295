/**
 * RFC 6962 §2.1 trees: leaf H(0x00 ‖ …), node H(0x01 ‖ left ‖ right), empty H("").
 *
 * Leaves come in hashed (their preimages start with 0x00 and a tag, see pages.ts, chain.ts, log.ts).
 * Hash lists are packed: n × 32 bytes in one array. A tree is kept level by level; the last node of
 * an odd level moves up unchanged, which is the same tree as the RFC's recursive definition.
 */
import { sha256, sha256Into } from '#crypto';
import { append, concat, copyShort, FormatError, HASH_BYTES, viewOf, Writer } from './bytes.js';

/** The root of a tree without leaves. */
export const EMPTY_ROOT = sha256(new Uint8Array(0));

const nodePreimage = new Uint8Array(1 + 2 * HASH_BYTES);
nodePreimage[0] = 0x01;
const nodeView = viewOf(nodePreimage);

/** Writes H(0x01 ‖ left ‖ right) to `out`; the inputs are 32 bytes at their offsets. */
function nodeInto(
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
  out: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < HASH_BYTES; i++) {
    nodePreimage[1 + i] = left[leftAt + i]!;
    nodePreimage[33 + i] = right[rightAt + i]!;
  }
  sha256Into(nodePreimage, out, at);
}

/** H(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const out = new Uint8Array(HASH_BYTES);
  nodeInto(left, 0, right, 0, out, 0);
  return out;
}

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
    const view = viewOf(below);
    for (let i = 0; i + 1 < n; i += 2) {
      copyShort(view, i * 32, nodeView, 1, 64);
      sha256Into(nodePreimage, level, i * 16);
    }
    if (n % 2 === 1) level.set(below.subarray((n - 1) * 32, n * 32), (n >> 1) * 32);
    levels.push(level);
  }
  return { size, levels };
}

export function treeRoot(tree: Tree): Uint8Array {
  return tree.size === 0 ? EMPTY_ROOT : tree.levels[tree.levels.length - 1]!;
}

/** The root over packed leaf hashes. */
export function merkleRoot(leaves: Uint8Array, size = leaves.length / HASH_BYTES): Uint8Array {
  return treeRoot(buildTree(leaves, size));
}

/**
 * The hashes that, with the leaves at `indices` (strictly rising), give the root: level by level from
 * the leaves up, left to right within a level. For one index this is the RFC 6962 audit path.
 */
export function multiproof(tree: Tree, indices: readonly number[]): Uint8Array {
  const out = new Writer();
  putMultiproof(out, tree, indices);
  return out.done();
}

/** Writes what `multiproof` gives. */
export function putMultiproof(out: Writer, tree: Tree, indices: readonly number[]): void {
  let known = indices;
  for (let level = 0, n = tree.size; n > 1; level++, n = (n + 1) >> 1) {
    const nodes = viewOf(tree.levels[level]!);
    const above: number[] = [];
    for (let i = 0; i < known.length; i++) {
      const sibling = known[i]! ^ 1;
      if (known[i + 1] === sibling) i++;
      else if (sibling < n) append(out, nodes, sibling * 32, 32);
      above.push(sibling >> 1);
    }
    known = above;
  }
}

/**
 * The root that `leaves` (packed, at `indices`, strictly rising) and a proof of `multiproof` give in a
 * tree of `size` leaves. Throws `FormatError` when the proof is too short or too long, or when
 * an index is out of range. Whether the root is the right one is for the caller to compare.
 */
export function rootFromMultiproof(
  size: number,
  indices: readonly number[],
  leaves: Uint8Array,
  proof: Uint8Array,
): Uint8Array {
  checkIndices(size, indices);
  if (leaves.length !== indices.length * HASH_BYTES) throw new FormatError('Merkle proof leaves miscounted');
  let known = [...indices];
  let hashes = Uint8Array.from(leaves);
  let used = 0;
  // No 32-bit operators: a signed leaf count goes to 2^32 − 1, where (n + 1) >> 1 is 0 and would end the
  // loop at once with the leaf itself as the root.
  for (let n = size; n > 1; n = Math.ceil(n / 2)) {
    const above: number[] = [];
    const next = new Uint8Array(known.length * 32);
    for (let i = 0; i < known.length; i++) {
      const index = known[i]!;
      const at = above.length * 32;
      const sibling = index % 2 === 0 ? index + 1 : index - 1;
      above.push(Math.floor(index / 2));
      if (known[i + 1] === sibling) {
        nodeInto(hashes, i * 32, hashes, (i + 1) * 32, next, at);
        i++;
      } else if (sibling >= n) {
        next.set(hashes.subarray(i * 32, i * 32 + 32), at);
      } else {
        if (used + 32 > proof.length) throw new FormatError('Merkle proof too short');
        if (index % 2 === 0) nodeInto(hashes, i * 32, proof, used, next, at);
        else nodeInto(proof, used, hashes, i * 32, next, at);
        used += 32;
      }
    }
    known = above;
    hashes = next;
  }
  if (used !== proof.length) throw new FormatError('Merkle proof too long');
  return hashes.subarray(0, 32);
}

function checkIndices(size: number, indices: readonly number[]): void {
  if (indices.length === 0) throw new FormatError('Merkle proof opens nothing');
  for (let i = 0; i < indices.length; i++) {
    const floor = i === 0 ? -1 : indices[i - 1]!;
    if (indices[i]! <= floor || indices[i]! >= size)
      throw new FormatError('Merkle proof index out of order or range');
  }
}

/** The root that one leaf and its RFC 6962 §2.1.1 audit path give. Log sizes may pass 2^32. */
export function rootFromPath(size: number, index: number, leaf: Uint8Array, path: Uint8Array): Uint8Array {
  if (!(index >= 0 && index < size)) throw new FormatError('Merkle path index out of range');
  const hash = Uint8Array.from(leaf);
  let used = 0;
  for (let n = size, i = index; n > 1; n = Math.ceil(n / 2), i = Math.floor(i / 2)) {
    const left = i % 2 === 1;
    if (!left && i + 1 >= n) continue;
    if (used + 32 > path.length) throw new FormatError('Merkle path too short');
    if (left) nodeInto(path, used, hash, 0, hash, 0);
    else nodeInto(hash, 0, path, used, hash, 0);
    used += 32;
  }
  if (used !== path.length) throw new FormatError('Merkle path too long');
  return hash;
}

/** Reads a node of a growing log: the complete subtree of 2^level leaves that starts at index × 2^level. */
export type LogNodes = (level: number, index: number) => Uint8Array;

/** Largest power of two strictly below `n` (n > 1). Log sizes may pass 2^31. */
function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** MTH(D[start:end]) where `start` is a multiple of the next power of two of the width. */
function rangeHash(nodes: LogNodes, start: number, end: number): Uint8Array {
  const width = end - start;
  const level = Math.log2(width);
  if (Number.isInteger(level)) return nodes(level, start / width);
  const k = splitPoint(width);
  return nodeHash(rangeHash(nodes, start, start + k), rangeHash(nodes, start + k, end));
}

/** The root of the log's first `size` leaves. */
export function logRoot(nodes: LogNodes, size: number): Uint8Array {
  return size === 0 ? EMPTY_ROOT : rangeHash(nodes, 0, size);
}

/** RFC 6962 §2.1.1: the audit path of leaf `index` in the log's first `size` leaves, packed. */
export function logPath(nodes: LogNodes, index: number, size: number): Uint8Array {
  const path: Uint8Array[] = [];
  for (let start = 0, end = size; end - start > 1; ) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      path.push(rangeHash(nodes, middle, end));
      end = middle;
    } else {
      path.push(rangeHash(nodes, start, middle));
      start = middle;
    }
  }
  return concat(...path.reverse());
}

/** RFC 6962 §2.1.2: proves that the first `from` leaves are a prefix of the first `to`, packed. */
export function consistencyProof(nodes: LogNodes, from: number, to: number): Uint8Array {
  if (from > to) throw new FormatError('a log does not shrink');
  if (from === 0 || from === to) return new Uint8Array(0);
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = to;
  let whole = true;
  while (from !== end) {
    const middle = start + splitPoint(end - start);
    if (from <= middle) {
      proof.push(rangeHash(nodes, middle, end));
      end = middle;
    } else {
      proof.push(rangeHash(nodes, start, middle));
      start = middle;
      whole = false;
    }
  }
  if (!whole) proof.push(rangeHash(nodes, start, end));
  return concat(...proof.reverse());
}

/** The aligned complete subtrees that cover leaves [from, to), left to right, as levels. */
export function gapLevels(from: number, to: number): number[] {
  const levels: number[] = [];
  for (let at = from; at < to; ) {
    let level = 0;
    let width = 1;
    while (at % (width * 2) === 0 && at + width * 2 <= to) {
      width *= 2;
      level++;
    }
    levels.push(level);
    at += width;
  }
  return levels;
}

/** The hashes of `gapLevels`, packed: what a holder of size `from` needs to reach size `to`. */
export function gapHashes(nodes: LogNodes, from: number, to: number): Uint8Array {
  if (from > to) throw new FormatError('a log does not shrink');
  let at = from;
  const hashes = gapLevels(from, to).map((level) => {
    const hash = nodes(level, at / 2 ** level);
    at += 2 ** level;
    return hash;
  });
  return concat(...hashes);
}

/**
 * The log's frontier (a compact range from 0): the roots of the complete subtrees that make up the
 * first `size` leaves, largest first. It grows by leaves and by aligned subtrees and knows its root.
 */
export class Frontier {
  constructor(
    public size = 0,
    private hashes: Uint8Array[] = [],
  ) {}

  /** Throws `FormatError` when the number of hashes is not the number of one bits of `size`. */
  static from(size: number, packed: Uint8Array): Frontier {
    const count = gapLevels(0, size).length;
    if (packed.length !== count * HASH_BYTES)
      throw new FormatError(`frontier of size ${size} needs ${count} hashes`);
    return new Frontier(
      size,
      Array.from({ length: count }, (_, i) => packed.slice(i * 32, i * 32 + 32)),
    );
  }

  copy(): Frontier {
    return new Frontier(this.size, [...this.hashes]);
  }

  /** The hashes, packed, largest subtree first. */
  packed(): Uint8Array {
    return concat(...this.hashes);
  }

  append(leaf: Uint8Array): void {
    this.appendSubtree(0, leaf);
  }

  /**
   * Appends a complete subtree of 2^level leaves; `size` must be a multiple of its width. Returns the
   * nodes that this completes: the subtree itself, its parent, and so on up.
   */
  appendSubtree(level: number, hash: Uint8Array): Uint8Array[] {
    let width = 2 ** level;
    if (this.size % width !== 0) throw new FormatError('subtree not aligned');
    const completed: Uint8Array[] = [Uint8Array.from(hash)];
    let node: Uint8Array = completed[0]!;
    for (let n = this.size / width; n % 2 === 1; n = Math.floor(n / 2)) {
      node = nodeHash(this.hashes.pop()!, node);
      completed.push(node);
      width *= 2;
    }
    this.hashes.push(node);
    this.size += 2 ** level;
    return completed;
  }

  /** Appends what `gapHashes(nodes, this.size, to)` gave. Throws `FormatError` on any other length or a smaller size. */
  appendGap(to: number, packed: Uint8Array): void {
    if (to < this.size) throw new FormatError('a log does not shrink');
    const levels = gapLevels(this.size, to);
    if (packed.length !== levels.length * HASH_BYTES)
      throw new FormatError('log gap has the wrong number of hashes');
    levels.forEach((level, i) => {
      this.appendSubtree(level, packed.subarray(i * 32, i * 32 + 32));
    });
  }

  root(): Uint8Array {
    if (this.hashes.length === 0) return EMPTY_ROOT;
    return this.hashes.reduceRight((right, left) => nodeHash(left, right));
  }
}
