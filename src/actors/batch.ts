/** Reading a message batch (messages.ts): the counters that its runs imply. */
import { getU32, getU64 } from '../protocol/index.js';
import { type MessageBatch, RUN, WHERE } from './messages.js';

/** The sender's counter of message `x`. */
export function counterOf(batch: MessageBatch, x: number): number {
  const run = batch.where[x * WHERE.fields + WHERE.run]! * RUN.bytes;
  return getU64(batch.runs, run + RUN.counter) + x - getU32(batch.runs, run + RUN.first);
}
