/** Reading a message batch (messages.ts): where its bundles lie, and the counters that its runs imply. */
import {
  BundleCursor,
  BundleHasher,
  type BundleLimits,
  equalBytes,
  getU16,
  getU32,
  getU64,
} from '../protocol/index.js';
import { ActorFault } from './attest.js';
import { type MessageBatch, RUN, WHERE } from './messages.js';

/** Offset in `runs` of the run of message `x`, where its sender stands. */
export function runAt({ where }: MessageBatch, x: number): number {
  return where[x * WHERE.fields + WHERE.run]! * RUN.bytes;
}

/** The sender's counter of message `x`. */
export function counterOf(batch: MessageBatch, x: number): number {
  const run = runAt(batch, x);
  return getU64(batch.runs, run + RUN.counter) + x - getU32(batch.runs, run + RUN.first);
}

/** Bytes of the bundle of message `x`: never 0. */
export function bundleBytes({ where }: MessageBatch, x: number): number {
  return where[x * WHERE.fields + WHERE.to]! - where[x * WHERE.fields + WHERE.from]!;
}

/** Which of the batch's chunks message `x` lies in. */
export function chunkNumber({ where }: MessageBatch, x: number): number {
  return where[x * WHERE.fields + WHERE.chunk]!;
}

/** The chunk that message `x` lies in. Throws `ActorFault` when the batch points outside of its memory. */
export function chunkOf(batch: MessageBatch, x: number): Uint8Array {
  const { inbox, chunks, where } = batch;
  const at = x * WHERE.fields;
  const chunk = chunks[chunkNumber(batch, x)];
  const [from, to] = [where[at + WHERE.from]!, where[at + WHERE.to]!];
  if (!chunk || from > to || to > chunk.length)
    throw new ActorFault(`inbox ${inbox}: message ${x} lies nowhere`);
  return chunk;
}

/** How many recipients message `x` has. */
export function recipientsOf(batch: MessageBatch, x: number): number {
  return getU16(chunkOf(batch, x), batch.where[x * WHERE.fields + WHERE.from]!);
}

/** The leaf hashes of the recipients of message `x`, which has so many; none when it is one. Throws `ActorFault`. */
export function leavesOf(batch: MessageBatch, x: number, recipients: number): Uint8Array {
  const at = batch.where[x * WHERE.fields + WHERE.leaves]!;
  const end = at + leafBytes(recipients);
  const chunk = chunkOf(batch, x);
  if (end > chunk.length)
    throw new ActorFault(`inbox ${batch.inbox}: leaf hashes of message ${x} lie nowhere`);
  return chunk.subarray(at, end);
}

/** Bytes of the leaf hashes that are kept for a message with so many recipients. */
export function leafBytes(recipients: number): number {
  return recipients > 1 ? recipients * 32 : 0;
}

/** Moves the cursor to message `x`. Throws `ActorFault` or `BundleError` when no bundle is there. */
export function moveTo(cursor: BundleCursor, batch: MessageBatch, x: number): void {
  const at = x * WHERE.fields;
  const to = batch.where[at + WHERE.to]!;
  const end = cursor.parse(chunkOf(batch, x), batch.where[at + WHERE.from]!, to);
  if (end !== to) throw new ActorFault(`inbox ${batch.inbox}: message ${x} is followed by other bytes`);
}

/** The same for a message whose bundle was parsed before. */
export function jumpTo(cursor: BundleCursor, batch: MessageBatch, x: number): void {
  const at = x * WHERE.fields;
  cursor.jump(chunkOf(batch, x), batch.where[at + WHERE.from]!, batch.where[at + WHERE.to]!);
}

/** Message hashes from the bytes, envelopes held against their hashes: what `checks: everywhere` does. */
export class MessageChecker {
  readonly cursor: BundleCursor;
  private readonly hasher: BundleHasher;

  constructor(serverId: Uint8Array, limits: BundleLimits) {
    this.cursor = new BundleCursor(limits);
    this.hasher = new BundleHasher(serverId);
  }

  /** Hashes the bundle under the cursor as that sender's (32 bytes at `senderAt`). Throws `BundleError`. */
  hash(sender: Uint8Array, senderAt: number, counter: number, out: Uint8Array, at: number): void {
    this.cursor.checkEnvelopes();
    this.hasher.sender(sender, senderAt);
    this.hasher.bundle(counter, this.cursor, out, at);
  }

  /** Whether the leaf hashes of the bundle that was hashed last lie there: nowhere, which is 0, where there is one recipient. */
  hasLeaves(bytes: Uint8Array, at: number): boolean {
    const { recipients } = this.cursor;
    if (recipients === 1) return at === 0;
    return equalBytes(bytes.subarray(at, at + leafBytes(recipients)), this.hasher.leafHashes);
  }

  /** Hashes message `x` from its bytes in the batch. */
  hashIn(batch: MessageBatch, x: number, out: Uint8Array, at: number): void {
    moveTo(this.cursor, batch, x);
    this.hash(batch.runs, runAt(batch, x), counterOf(batch, x), out, at);
    if (!this.hasLeaves(chunkOf(batch, x), batch.where[x * WHERE.fields + WHERE.leaves]!))
      throw new ActorFault(`inbox ${batch.inbox}: message ${x} has other leaf hashes`);
  }
}
