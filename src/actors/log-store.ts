/** The log of epochs in the store: a record per leaf holds every node that the leaf completes. */
import {
  type Checkpoint,
  concat,
  decodeEpochLeaf,
  type LogNodes,
  Reader,
  Writer,
} from '../protocol/index.js';
import type { StoreReader, StoreRecord } from './messages.js';
import { metaKey, numberKey, TABLE } from './store-keys.js';

export const LEAF_BYTES = 163;

/** epoch leaf 163 ‖ n 1 ‖ n × 32: the leaf's own hash, its parent's if the leaf completes it, and so on. */
export function logRecord(leaf: Uint8Array, completed: readonly Uint8Array[]): Uint8Array {
  return concat(leaf, Uint8Array.of(completed.length), ...completed);
}

/** The epoch leaf's bytes in a record. */
export function logRecordLeaf(record: Uint8Array): Uint8Array {
  return record.slice(0, LEAF_BYTES);
}

/** Node (level, index) was completed by leaf (index + 1) × 2^level − 1. */
export function logNodes(reader: StoreReader): LogNodes {
  return (level, index) => {
    const record = reader.view(numberKey(TABLE.log, (index + 1) * 2 ** level - 1));
    if (!record) throw new Error(`log node ${level}/${index} is missing in the store`);
    const at = LEAF_BYTES + 1 + level * 32;
    return record.slice(at, at + 32);
  };
}

/** How many leaves of the log are of epochs through this one. */
export function logSizeThrough(reader: Pick<StoreReader, 'get'>, epoch: number): number {
  const isWithin = (index: number) => {
    const record = reader.get(numberKey(TABLE.log, index));
    return record !== undefined && decodeEpochLeaf(logRecordLeaf(record)).epoch <= epoch;
  };
  // Epochs rise, and each has one leaf at most.
  let [size, above] = [0, epoch + 1];
  while (size + 1 < above) {
    const middle = Math.floor((size + above) / 2);
    if (isWithin(middle - 1)) size = middle;
    else above = middle;
  }
  return size;
}

const CHECKPOINT_KEY = metaKey('checkpoint');
const CHECKPOINT_BYTES = 104;

/** The newest signed one, for who has the store alone: size 8 ‖ root 32 ‖ signature 64. */
export function checkpointRecord({ size, root, signature }: Checkpoint): StoreRecord {
  const value = new Writer(CHECKPOINT_BYTES).u64(size).bytes(root).bytes(signature).done();
  return { key: CHECKPOINT_KEY, value };
}

/** Null where none is kept: nothing was committed yet, or by a version that kept none. */
export function keptCheckpoint(reader: StoreReader): Checkpoint | null {
  const value = reader.get(CHECKPOINT_KEY);
  if (value?.length !== CHECKPOINT_BYTES) return null;
  const from = new Reader(value);
  return { size: from.u64(), root: from.hash(), signature: from.bytes(64) };
}
