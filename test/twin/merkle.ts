/**
 * Trees and their proofs, word for word from RFC 6962 §2.1 and RFC 9162 §2.1.
 *
 * All functions take leaf HASHES: what RFC 6962 writes MTH({d(0)}) = H(0x00 ‖ d(0)) is the hash of
 * a leaf preimage, and every leaf preimage of the protocol begins with its 0x00 already.
 */
import { H, u8 } from './bytes.js';

/** node = H(0x01 ‖ left ‖ right) */
export function nodeHash(left: Buffer, right: Buffer): Buffer {
  return H(u8(0x01), left, right);
}

/** The largest power of two smaller than n, for n > 1. */
export function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** MTH({}) = H(""), MTH({d}) = its leaf hash, MTH(D[n]) = H(0x01 ‖ MTH(D[0:k]) ‖ MTH(D[k:n])) */
export function root(leaves: Buffer[]): Buffer {
  if (leaves.length === 0) return H();
  if (leaves.length === 1) return leaves[0]!;
  const k = splitPoint(leaves.length);
  return nodeHash(root(leaves.slice(0, k)), root(leaves.slice(k)));
}

/**
 * PATH(0, {d}) = {}
 * PATH(m, D[n]) = PATH(m, D[0:k]) : MTH(D[k:n])      for m < k
 * PATH(m, D[n]) = PATH(m − k, D[k:n]) : MTH(D[0:k])  for m ≥ k
 */
export function inclusionPath(m: number, leaves: Buffer[]): Buffer[] {
  if (m < 0 || m >= leaves.length) throw new Error(`no leaf ${m} among ${leaves.length}`);
  if (leaves.length === 1) return [];
  const k = splitPoint(leaves.length);
  if (m < k) return [...inclusionPath(m, leaves.slice(0, k)), root(leaves.slice(k))];
  return [...inclusionPath(m - k, leaves.slice(k)), root(leaves.slice(0, k))];
}

/**
 * PROOF(m, D[n]) = SUBPROOF(m, D[n], true), for 0 < m ≤ n.
 * With m = 0 there is nothing to prove: the empty proof.
 */
export function consistencyProof(m: number, leaves: Buffer[]): Buffer[] {
  if (m < 0 || m > leaves.length) throw new Error(`no tree of ${m} leaves in ${leaves.length}`);
  return m === 0 ? [] : subproof(m, leaves, true);
}

/**
 * SUBPROOF(m, D[m], true) = {}
 * SUBPROOF(m, D[m], false) = {MTH(D[m])}
 * SUBPROOF(m, D[n], b) = SUBPROOF(m, D[0:k], b) : MTH(D[k:n])          for m ≤ k
 * SUBPROOF(m, D[n], b) = SUBPROOF(m − k, D[k:n], false) : MTH(D[0:k])  for m > k
 */
function subproof(m: number, leaves: Buffer[], known: boolean): Buffer[] {
  if (m === leaves.length) return known ? [] : [root(leaves)];
  const k = splitPoint(leaves.length);
  if (m <= k) return [...subproof(m, leaves.slice(0, k), known), root(leaves.slice(k))];
  return [...subproof(m - k, leaves.slice(k), false), root(leaves.slice(0, k))];
}

/** RFC 9162 §2.1.3.2, steps 1 to 4: the root that leaf and path give, none when their shape is wrong. */
export function rootFromPath(
  leafIndex: bigint,
  treeSize: bigint,
  leaf: Buffer,
  path: Buffer[],
): Buffer | undefined {
  if (leafIndex < 0n || leafIndex >= treeSize) return undefined; // 1
  let fn = leafIndex; // 2
  let sn = treeSize - 1n;
  let r = leaf; // 3
  for (const p of path) {
    if (sn === 0n) return undefined; // 4a
    if (isOdd(fn) || fn === sn) {
      r = nodeHash(p, r); // 4b
      if (!isOdd(fn)) {
        do {
          fn >>= 1n;
          sn >>= 1n;
        } while (!isOdd(fn) && fn !== 0n);
      }
    } else {
      r = nodeHash(r, p);
    }
    fn >>= 1n; // 4c
    sn >>= 1n;
  }
  return sn === 0n ? r : undefined;
}

/** RFC 9162 §2.1.3.2, step 5. */
export function verifyInclusion(
  leafIndex: bigint,
  treeSize: bigint,
  leaf: Buffer,
  path: Buffer[],
  rootHash: Buffer,
): boolean {
  return rootFromPath(leafIndex, treeSize, leaf, path)?.equals(rootHash) === true;
}

/**
 * RFC 9162 §2.1.4.2, step by step. The two cases that it leaves out have the empty proof: sizes
 * that are equal need equal roots, and the empty tree (root H("")) is a prefix of every tree.
 */
export function verifyConsistency(
  first: bigint,
  second: bigint,
  firstHash: Buffer,
  secondHash: Buffer,
  proof: Buffer[],
): boolean {
  if (first < 0n || first > second) return false;
  if (first === second) return proof.length === 0 && firstHash.equals(secondHash);
  if (first === 0n) return proof.length === 0 && firstHash.equals(H());
  if (proof.length === 0) return false; // 1
  const path = isPowerOfTwo(first) ? [firstHash, ...proof] : proof; // 2
  let fn = first - 1n; // 3
  let sn = second - 1n;
  while (isOdd(fn)) {
    fn >>= 1n; // 4
    sn >>= 1n;
  }
  let fr = path[0]!; // 5
  let sr = path[0]!;
  for (const c of path.slice(1)) {
    if (sn === 0n) return false; // 6a
    if (isOdd(fn) || fn === sn) {
      fr = nodeHash(c, fr); // 6b
      sr = nodeHash(c, sr);
      while (!isOdd(fn) && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      sr = nodeHash(sr, c);
    }
    fn >>= 1n; // 6c
    sn >>= 1n;
  }
  return sn === 0n && fr.equals(firstHash) && sr.equals(secondHash); // 7
}

/**
 * The frontier (compact range from 0): roots of the perfect subtrees that the tree falls into,
 * left to right, largest first. Size 11 = 8 + 2 + 1 gives three.
 */
export function frontier(leaves: Buffer[]): Buffer[] {
  if (leaves.length === 0) return [];
  let perfect = 1;
  while (perfect * 2 <= leaves.length) perfect *= 2;
  return [root(leaves.slice(0, perfect)), ...frontier(leaves.slice(perfect))];
}

function isOdd(n: bigint): boolean {
  return n % 2n === 1n;
}

function isPowerOfTwo(n: bigint): boolean {
  let power = 1n;
  while (power < n) power *= 2n;
  return power === n;
}
