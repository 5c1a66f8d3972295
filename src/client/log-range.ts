/**
 * Ranges of the log as aligned complete subtrees (merkle.ts, `gapLevels`), which a client is told anyway while its
 * log grows: what leads from one checkpoint to a later one, so that claims under both can be shown to be of one log.
 */
import { sha256 } from '#crypto';
import {
  type Claim,
  concat,
  consistencyProof,
  decodeCheckpoint,
  epochLeafHash,
  gapLevels,
  HASH_BYTES,
  type LOG_MODE,
  type LogNodes,
  type LogProof,
  logPath,
  nodeHash,
} from '../protocol/index.js';
import type { LogState } from './log-state.js';
import type { VerifiedMailbox } from './verifier.js';

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

/** By which subtrees the log has grown. */
export function rangeOf(
  { checkpoint: { size: from } }: LogState,
  { checkpoint: { size: to } }: LogState,
  frame: Uint8Array,
  leaf: VerifiedMailbox | undefined,
): Range {
  if (!leaf) return { from, to, hashes: decodeCheckpoint(frame).gap.slice() };
  const { deliver, epochLeaf } = leaf.delivery;
  const { gap } = deliver.proof as Extract<LogProof, { mode: typeof LOG_MODE.extend }>;
  return joined(
    { from, to: to - 1, hashes: gap.slice() },
    { from: to - 1, to, hashes: epochLeafHash(epochLeaf) },
  );
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
  try {
    return consistencyProof(nodesOf(ranges), from, to);
  } catch (error) {
    if (error instanceof RangeError) return new Uint8Array(0);
    throw error;
  }
}

/** Nodes of the log, as far as these ranges know them; throws `RangeError` on others. */
function nodesOf(ranges: readonly Range[]): LogNodes {
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
  return nodes;
}

/** The claim under a later checkpoint of the same log; null when its path and these ranges do not know enough. */
export function claimUnder(
  claim: Claim,
  checkpoint: Claim['checkpoint'],
  ranges: readonly Range[],
): Claim | null {
  const nodes = nodesOf([...subtreesOnPath(claim), ...ranges]);
  try {
    return { ...claim, checkpoint, logPath: logPath(nodes, claim.logIndex, checkpoint.size) };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The epoch leaf, and those of its siblings up the log that are complete: they are in every later log. */
function subtreesOnPath({ checkpoint, epochLeaf, logIndex, logPath }: Claim): Range[] {
  const found: Range[] = [{ from: logIndex, to: logIndex + 1, hashes: sha256(epochLeaf) }];
  let used = 0;
  for (let width = 1, at = logIndex; width < checkpoint.size; width *= 2, at = Math.floor(at / 2)) {
    const sibling = at % 2 === 1 ? at - 1 : at + 1;
    const [from, to] = [sibling * width, (sibling + 1) * width];
    if (from >= checkpoint.size) continue;
    used += HASH_BYTES;
    if (to <= checkpoint.size) found.push({ from, to, hashes: logPath.subarray(used - HASH_BYTES, used) });
  }
  return found;
}
