/** Packs the bodies of an epoch, each message once however many mailboxes of the outbox get it. */
import { getU32, getU64, putU32, putU64 } from '../protocol/index.js';
import { chunkOf, counterOf, runAt } from './batch.js';
import { BODY_HEADER_BYTES } from './epoch-file.js';
import type { Memory } from './memory.js';
import { type MessageBatch, WHERE } from './messages.js';

export class BodyPacker {
  block: Uint8Array;
  length = 0;
  /** Per inbox and message: offset + 1; 0 = not packed. */
  private readonly offsets = new Map<number, Uint32Array>();

  constructor(
    private readonly memory: Memory,
    batches: readonly MessageBatch[],
  ) {
    this.block = memory.take(1);
    for (const batch of batches) this.offsets.set(batch.inbox, new Uint32Array(batch.count));
  }

  /** Packs message `index` unless it is there already. Returns its offset. */
  put(batch: MessageBatch, index: number): number {
    const offsets = this.offsets.get(batch.inbox)!;
    if (offsets[index]! > 0) return offsets[index]! - 1;
    const chunk = chunkOf(batch, index);
    const at = index * WHERE.fields;
    const from = batch.where[at + WHERE.from]!;
    const bytes = batch.where[at + WHERE.to]! - from;
    const offset = this.length;
    this.length = offset + BODY_HEADER_BYTES + bytes;
    if (this.length > this.block.length) this.block = this.memory.grow(this.block, offset, this.length);
    const sender = runAt(batch, index);
    for (let i = 0; i < 32; i++) this.block[offset + i] = batch.runs[sender + i]!;
    putU64(this.block, offset + 32, counterOf(batch, index));
    putU32(this.block, offset + 40, bytes);
    this.block.set(chunk.subarray(from, from + bytes), offset + BODY_HEADER_BYTES);
    offsets[index] = offset + 1;
    return offset;
  }

  /** What has been packed, as a view. */
  done(): Uint8Array {
    return this.block.subarray(0, this.length);
  }

  /** The message at `offset`: its sender is the 32 bytes there, its bundle lies in [from, to). */
  static read(bodies: Uint8Array, offset: number): { counter: number; from: number; to: number } {
    const from = offset + BODY_HEADER_BYTES;
    return { counter: getU64(bodies, offset + 32), from, to: from + getU32(bodies, offset + 40) };
  }
}
