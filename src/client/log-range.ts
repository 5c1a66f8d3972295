/**
 * Ranges of the log as aligned complete subtrees (merkle.ts, `gapLevels`), which a client is told anyway while its
 * log grows: what leads from one checkpoint to a later one, so that claims under both can be shown to be of one log.
 */
import { concat, consistencyProof, gapLevels, HASH_BYTES, nodeHash } from '../protocol/index.js';

interface Subtree {
  /** Index of its first leaf. */
  readonly start: number;
  readonly level: number;
  readonly hash: Uint8Array;
}

/** Leaves [from, to) of a log. */
export interface Range {
  readonly from: number;
  readonly to: number;
  /** The hashes of `gapLevels(from, to)`, packed. */
  readonly hashes: Uint8Array;
}

/** No leaves. */
export const emptyAt = (size: number): Range => ({ from: size, to: size, hashes: new Uint8Array(0) });

function* subtreesOf({ from, to, hashes }: Range): Generator<Subtree> {
  let start = from;
  let at = 0;
  for (const level of gapLevels(from, to)) {
    yield { start, level, hash: hashes.subarray(at, at + HASH_BYTES) };
    start += 2 ** level;
    at += HASH_BYTES;
  }
}

/** A range with those that follow it. Throws `RangeError` on one that does not, or has another number of hashes. */
export function joined(first: Range, ...others: readonly Range[]): Range {
  const subtrees: Subtree[] = [];
  let to = first.from;
  for (const range of [first, ...others]) {
    if (range.from !== to) throw new RangeError(`a range from ${range.from} behind one to ${to}`);
    if (range.hashes.length !== gapLevels(range.from, range.to).length * HASH_BYTES)
      throw new RangeError(`${range.hashes.length} bytes of hashes`);
    for (const subtree of subtreesOf(range)) append(subtrees, subtree);
    to = range.to;
  }
  return { from: first.from, to, hashes: concat(...subtrees.map(({ hash }) => hash)) };
}

/** Two that are halves of an aligned subtree become that. */
function append(subtrees: Subtree[], last: Subtree): void {
  let right = last;
  for (let left = subtrees.at(-1); left && isWhole(left, right); left = subtrees.at(-1)) {
    subtrees.pop();
    right = { start: left.start, level: left.level + 1, hash: nodeHash(left.hash, right.hash) };
  }
  subtrees.push(right);
}

function isWhole(left: Subtree, right: Subtree): boolean {
  return left.level === right.level && left.start % 2 ** (left.level + 1) === 0;
}

/**
 * The consistency proof between two sizes (RFC 6962 §2.1.2), from what these ranges know; empty when they do not know
 * enough. A range from 0 to the smaller size, one on from there to at least the larger, and one from 0 to the larger do.
 */
export function bridgeOver(ranges: readonly Range[], from: number, to: number): Uint8Array {
  const known = new Map<string, Uint8Array>();
  for (const range of ranges)
    for (const { start, level, hash } of subtreesOf(range)) {
      const name = `${level} ${start / 2 ** level}`;
      if (!known.has(name)) known.set(name, hash);
    }
  const nodes = (level: number, index: number): Uint8Array => {
    const found = known.get(`${level} ${index}`);
    if (found) return found;
    if (level === 0) throw new RangeError(`leaf ${index} is not known`);
    return nodeHash(nodes(level - 1, index * 2), nodes(level - 1, index * 2 + 1));
  };
  try {
    return consistencyProof(nodes, from, to);
  } catch (error) {
    if (error instanceof RangeError) return new Uint8Array(0);
    throw error;
  }
}
