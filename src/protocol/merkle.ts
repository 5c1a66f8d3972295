/**
 * RFC 6962 §2.1 trees: leaf H(0x00 ‖ …), node H(0x01 ‖ left ‖ right), empty H("").
 *
 * Leaves come in hashed (their preimages start with 0x00 and a tag, see pages.ts, chain.ts, log.ts).
 * Hash lists are packed: n × 32 bytes in one array. A tree is kept level by level; the last node of
 * an odd level moves up unchanged, which is the same tree as the RFC's recursive definition.
 */
import { sha256, sha256Into } from '#crypto';
import { concat, copyHash, equalBytes, FormatError, getU16, HASH_BYTES, sameBytes } from './bytes.js';

/** The root of a tree without leaves. */
export const EMPTY_ROOT = sha256(new Uint8Array(0));

const nodePreimage = new Uint8Array(1 + 2 * HASH_BYTES);
nodePreimage[0] = 0x01;

/** Writes H(0x01 ‖ left ‖ right) to `out`; the inputs are 32 bytes at their offsets. */
export function nodeInto(
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
  out: Uint8Array,
  at: number,
): void {
  copyHash(left, leftAt, nodePreimage, 1);
  copyHash(right, rightAt, nodePreimage, 33);
  sha256Into(nodePreimage, out, at);
}

/**
 * Nodes of proofs, hashed before: left ‖ right ‖ their hash, each in the one place that its bytes name. All
 * sockets of a process bring the same nodes, of an epoch's tree and of the log, and comparing is cheaper.
 */
const KNOWN_NODES = 4096;
const known = new Uint8Array(KNOWN_NODES * 3 * HASH_BYTES);
// Memory full of zeros would say that the node over two zero hashes were zero.
nodeInto(known, 0, known, 32, known, 64);

/** The same as `nodeInto`, where it is likely that these two have been hashed before. */
function knownNodeInto(
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
  out: Uint8Array,
  at: number,
): void {
  const place = ((getU16(left, leftAt) ^ getU16(right, rightAt)) % KNOWN_NODES) * 96;
  if (!sameBytes(known, place, left, leftAt, 32) || !sameBytes(known, place + 32, right, rightAt, 32)) {
    copyHash(left, leftAt, known, place);
    copyHash(right, rightAt, known, place + 32);
    nodeInto(known, place, known, place + 32, known, place + 64);
  }
  copyHash(known, place + 64, out, at);
}

/** H(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const out = new Uint8Array(HASH_BYTES);
  knownNodeInto(left, 0, right, 0, out, 0);
  return out;
}

/**
 * The root that `leaves` (packed, at `indices`, strictly rising) and a proof of `multiproof` give in a
 * tree of `size` leaves. Throws `FormatError` when the proof is too short or too long, or when
 * an index is out of range. Whether the root is the right one is for the caller to compare. The siblings of the
 * leaf at index `own`, from the leaf up, are added to `path`: they are its audit path.
 */
export function rootFromMultiproof(
  size: number,
  indices: readonly number[],
  leaves: Uint8Array,
  proof: Uint8Array,
  own = -1,
  path: Uint8Array[] = [],
): Uint8Array {
  checkIndices(size, indices);
  if (leaves.length !== indices.length * HASH_BYTES) throw wrongProof();
  // Level by level in place: a node lies never behind what it is made of.
  const at = [...indices];
  const hashes = new Uint8Array(leaves);
  let count = at.length;
  let used = 0;
  // No 32-bit operators: a signed leaf count goes to 2^32 − 1, where (n + 1) >> 1 is 0 and would end the
  // loop at once with the leaf itself as the root. Log sizes may pass 2^32.
  for (let n = size; n > 1; n = Math.ceil(n / 2), own = Math.floor(own / 2)) {
    let above = 0;
    for (let i = 0; i < count; i++, above++) {
      const index = at[i]!;
      const from = i * 32;
      const isRight = index % 2 === 1;
      const sibling = isRight ? index - 1 : index + 1;
      at[above] = Math.floor(index / 2);
      if (sibling >= n) {
        hashes.copyWithin(above * 32, from, from + 32);
        continue;
      }
      const isKnown = i + 1 < count && at[i + 1] === sibling;
      const other = isKnown ? hashes : proof;
      const otherAt = isKnown ? from + 32 : used;
      if (isKnown) i++;
      else used += 32;
      if (used > proof.length) throw wrongProof();
      if (index === own) path.push(other.slice(otherAt, otherAt + 32));
      if (isKnown && sibling === own) path.push(hashes.slice(from, from + 32));
      if (isRight) knownNodeInto(other, otherAt, hashes, from, hashes, above * 32);
      else knownNodeInto(hashes, from, other, otherAt, hashes, above * 32);
    }
    count = above;
  }
  if (used !== proof.length) throw wrongProof();
  return hashes.subarray(0, 32);
}

const wrongProof = () => new FormatError('Merkle proof: wrong length');

function checkIndices(size: number, indices: readonly number[]): void {
  let last = -1;
  for (const index of indices) {
    if (index <= last || index >= size) throw new FormatError('Merkle proof: index out of range');
    last = index;
  }
  if (last < 0) throw new FormatError('Merkle proof: index out of range');
}

/** The root that one leaf and its RFC 6962 §2.1.1 audit path give. */
export function rootFromPath(size: number, index: number, leaf: Uint8Array, path: Uint8Array): Uint8Array {
  return rootFromMultiproof(size, [index], leaf, path);
}

/**
 * The root over the leaves before the one at `index`, which its audit path (packed) in a tree of `size` leaves holds:
 * its siblings to the left are the complete subtrees before it, smallest first.
 */
export function rootBefore(size: number, index: number, path: Uint8Array): Uint8Array {
  let root: Uint8Array | null = null;
  let used = 0;
  for (let n = size, at = index; n > 1; n = Math.ceil(n / 2), at = Math.floor(at / 2)) {
    const isRight = at % 2 === 1;
    if (!isRight && at + 1 >= n) continue;
    const sibling = path.subarray(used, used + HASH_BYTES);
    used += HASH_BYTES;
    if (isRight) root = root ? nodeHash(sibling, root) : sibling;
  }
  return root ?? EMPTY_ROOT;
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

/**
 * RFC 9162 §2.1.4.2: whether `proof` (packed) shows that a log of `size` leaves and this root goes on as one of `to`
 * leaves and that root. Sizes are different; nothing is shown of an empty log, which any other goes on from.
 */
export function isConsistent(
  size: number,
  root: Uint8Array,
  to: number,
  toRoot: Uint8Array,
  proof: Uint8Array,
): boolean {
  // Where the smaller log is one complete subtree of the larger, its root is the first node.
  const shown = rootsIn(size, to, isPowerOfTwo(size) ? concat(root, proof) : proof);
  return shown !== null && equalBytes(shown.before, root) && equalBytes(shown.after, toRoot);
}

/** Two tree heads are of one log: equal, or `proof` (packed; empty of one size) leads from the smaller to the larger. */
export function isOneLog(one: TreeHead, other: TreeHead, proof: Uint8Array): boolean {
  const [from, to] = one.size <= other.size ? [one, other] : [other, one];
  return from.size === to.size
    ? proof.length === 0 && equalBytes(from.root, to.root)
    : isConsistent(from.size, from.root, to.size, to.root, proof);
}

interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** By a consistency proof, the root that the log of `to` leaves had at `size`; null if the proof does not tell, as where that is a power of two. */
export function rootShown(
  size: number,
  to: number,
  toRoot: Uint8Array,
  proof: Uint8Array,
): Uint8Array | null {
  const shown = isPowerOfTwo(size) ? null : rootsIn(size, to, proof);
  return shown && equalBytes(shown.after, toRoot) ? shown.before : null;
}

export const isPowerOfTwo = (size: number) => Number.isInteger(Math.log2(size));

/** Both roots that a proof leads to, with the first node in front; null where it is none between these sizes. */
function rootsIn(
  size: number,
  to: number,
  proof: Uint8Array,
): { readonly before: Uint8Array; readonly after: Uint8Array } | null {
  if (size === 0 || size >= to || proof.length % HASH_BYTES !== 0) return null;
  const hashes = Array.from({ length: proof.length / HASH_BYTES }, (_, i) =>
    proof.subarray(i * 32, i * 32 + 32),
  );
  let node = size - 1;
  let last = to - 1;
  for (; node % 2 === 1; node = Math.floor(node / 2)) last = Math.floor(last / 2);
  let [before, after] = [hashes[0], hashes[0]];
  if (!before || !after) return null;
  for (const hash of hashes.slice(1)) {
    if (last === 0) return null;
    if (node % 2 === 1 || node === last) {
      before = nodeHash(hash, before);
      after = nodeHash(hash, after);
      for (; node % 2 === 0 && node > 0; node = Math.floor(node / 2)) last = Math.floor(last / 2);
    } else after = nodeHash(after, hash);
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? { before, after } : null;
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

  /** What `packed` gave at this size. Throws `FormatError` on another number of hashes. */
  static from(size: number, packed: Uint8Array): Frontier {
    const frontier = new Frontier();
    frontier.appendGap(size, packed);
    return frontier;
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
    const completed: Uint8Array[] = [new Uint8Array(hash)];
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
    if (packed.length !== levels.length * HASH_BYTES) throw new FormatError('log gap: wrong length');
    levels.forEach((level, i) => {
      this.appendSubtree(level, packed.subarray(i * 32, i * 32 + 32));
    });
  }

  root(): Uint8Array {
    if (this.hashes.length === 0) return EMPTY_ROOT;
    return this.hashes.reduceRight((right, left) => nodeHash(left, right));
  }
}
