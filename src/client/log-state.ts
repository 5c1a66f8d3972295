/** The client's side of the log of epochs: how far it is known, and the three ways it is told more. */
import {
  type Checkpoint,
  type CheckpointFrame,
  checkpointText,
  EMPTY_ROOT,
  type EpochLeaf,
  epochLeafHash,
  equalBytes,
  Frontier,
  LOG_MODE,
  type LogProof,
  ROLE,
  rootFromPath,
  SIGNATURE_BYTES,
  ZERO_HASH,
} from '../protocol/index.js';
import { Mismatch } from './verification-error.js';
import type { Obligation } from './verifier.js';
import type { World } from './world.js';

/** Immutable; every step gives a new one. */
export interface LogState {
  readonly checkpoint: Checkpoint;
  /** Of the checkpoint's size. */
  readonly frontier: Frontier;
  /** Epoch of the newest leaf; 0 = not known, because only its hash was told. */
  readonly lastEpoch: number;
}

/** Nothing known: the first checkpoint is taken on the sequencer's signature alone. */
export const EMPTY_LOG: LogState = {
  // As a hello says "none": all zeros.
  checkpoint: { size: 0, root: ZERO_HASH, signature: new Uint8Array(SIGNATURE_BYTES) },
  frontier: new Frontier(),
  lastEpoch: 0,
};

/** A log after one leaf was placed in it, and what a claim needs to show the leaf in it. */
export interface LogStep {
  readonly log: LogState;
  readonly obligations: readonly Obligation[];
  /** The log's frontier before the leaf, of a leaf that is the last one. */
  readonly before: Frontier;
}

/** Places an epoch leaf at `index`. Throws `Mismatch` or `FormatError`. */
export function placeLeaf(world: World, log: LogState, leaf: EpochLeaf, proof: LogProof): LogStep {
  const index = proof.logIndex;
  checkLeaf(log, index, leaf);
  return proof.mode === LOG_MODE.extend
    ? extend(world, log, index, leaf, proof)
    : under(log, index, leaf, proof.size, proof.path);
}

function checkLeaf({ checkpoint }: LogState, index: number, leaf: EpochLeaf): void {
  if (leaf.previousEpoch >= leaf.epoch) throw new Mismatch('log', 'epochs do not rise');
  if ((leaf.previousEpoch === 0) !== (index === 0)) throw new Mismatch('log', 'previous epoch');
  if (leaf.base.size > index) throw new Mismatch('log', 'base beyond the leaf');
  const known = [{ size: 0, root: EMPTY_ROOT }, checkpoint].find(({ size }) => size === leaf.base.size);
  if (known && !equalBytes(leaf.base.root, known.root)) throw new Mismatch('log', 'base root');
}

function extend(
  world: World,
  log: LogState,
  index: number,
  leaf: EpochLeaf,
  proof: Extract<LogProof, { mode: typeof LOG_MODE.extend }>,
): LogStep {
  const { size } = log.checkpoint;
  if (proof.from !== size || index < size) throw unknownSize(proof.from, size);
  const follows = index === size ? leaf.previousEpoch === log.lastEpoch : leaf.previousEpoch > log.lastEpoch;
  if (log.lastEpoch > 0 && !follows) throw new Mismatch('log', 'previous epoch');
  const before = log.frontier.copy();
  before.appendGap(index, proof.gap);
  const frontier = before.copy();
  frontier.append(epochLeafHash(leaf));
  return { ...grown(world, frontier, proof.signature, leaf.epoch), before };
}

function under(log: LogState, index: number, leaf: EpochLeaf, size: number, path: Uint8Array): LogStep {
  const { checkpoint } = log;
  if (size !== checkpoint.size) throw unknownSize(size, checkpoint.size);
  if (!equalBytes(rootFromPath(size, index, epochLeafHash(leaf), path), checkpoint.root))
    throw new Mismatch('log', 'not in the log');
  return { log, obligations: [], before: log.frontier };
}

function unknownSize(from: number, known: number): Mismatch {
  return new Mismatch('log', `from size ${from}, ${known} is known`);
}

/** A log that the sequencer must have signed. */
export interface Grown {
  readonly log: LogState;
  readonly obligations: readonly Obligation[];
}

/** Follows a checkpoint frame. Throws `Mismatch` or `FormatError`. */
export function followCheckpoint(
  world: World,
  log: LogState,
  { from, to, signature, gap }: CheckpointFrame,
): Grown {
  const { size } = log.checkpoint;
  if (from !== size || to <= size) throw unknownSize(from, size);
  const frontier = log.frontier.copy();
  frontier.appendGap(to, gap);
  return grown(world, frontier, signature, 0);
}

function grown(world: World, frontier: Frontier, signed: Uint8Array, lastEpoch: number): Grown {
  const { size } = frontier;
  const root = frontier.root();
  const signature = Uint8Array.from(signed);
  const key = world.keys.get(ROLE.sequencer, 0);
  const bytes = checkpointText(world.serverId, size, root);
  return {
    log: { checkpoint: { size, root, signature }, frontier, lastEpoch },
    obligations: [{ key, bytes, signature, step: 'signature' }],
  };
}
