/** Packs the bodies of an epoch, each message once however many mailboxes of the outbox get it. */
import { copy32, copyBytes, getU32, getU64, putU32, putU64, viewOf } from '../protocol/index.js';
import { bundleBytes, chunkNumber, counterOf, leafBytes, leavesOf, recipientsOf, runAt } from './batch.js';
import { BODY_HEADER_BYTES } from './epoch-file.js';
import type { Memory } from './memory.js';
import { type MessageBatch, WHERE } from './messages.js';

interface Source {
  readonly batch: MessageBatch;
  readonly runs: DataView;
  /** Of the batch's chunks. */
  readonly chunks: readonly DataView[];
  /** Per message: offset + 1; 0 = not packed. */
  readonly offsets: Uint32Array;
}

export class BodyPacker {
  readonly block: Uint8Array;
  private readonly view: DataView;
  length = 0;
  /** By inbox. */
  private readonly sources = new Map<number, Source>();

  constructor(memory: Memory, batches: readonly MessageBatch[]) {
    let most = 1;
    for (const batch of batches) {
      const offsets = new Uint32Array(batch.count);
      const source = { batch, runs: viewOf(batch.runs), chunks: batch.chunks.map(viewOf), offsets };
      this.sources.set(batch.inbox, source);
      for (let x = 0; x < batch.count; x++)
        most += BODY_HEADER_BYTES + bundleBytes(batch, x) + leafBytes(recipientsOf(batch, x));
    }
    this.block = memory.take(most);
    this.view = viewOf(this.block);
  }

  /** Packs message `index` unless it is there already. Returns its offset. */
  put(inbox: number, index: number): number {
    const { batch, runs, chunks, offsets } = this.sources.get(inbox)!;
    if (offsets[index]! > 0) return offsets[index]! - 1;
    const chunk = chunks[chunkNumber(batch, index)]!;
    const from = batch.where[index * WHERE.fields + WHERE.from]!;
    const bytes = bundleBytes(batch, index);
    const recipients = recipientsOf(batch, index);
    const offset = this.length;
    const bundleAt = offset + BODY_HEADER_BYTES;
    this.length = bundleAt + bytes + leafBytes(recipients);
    copy32(runs, runAt(batch, index), this.view, offset);
    putU64(this.block, offset + 32, counterOf(batch, index));
    putU32(this.block, offset + 40, bytes);
    copyBytes(chunk, from, this.view, bundleAt, bytes);
    if (recipients > 1) this.block.set(leavesOf(batch, index, recipients), bundleAt + bytes);
    offsets[index] = offset + 1;
    return offset;
  }

  /** What has been packed, as a view. */
  done(): Uint8Array {
    return this.block.subarray(0, this.length);
  }
}

/** Of the message packed at `offset`, whose sender is the 32 bytes there: its counter. */
export function packedCounter(bodies: Uint8Array, offset: number): number {
  return getU64(bodies, offset + 32);
}

/** Where its bundle starts. */
export function packedBundle(offset: number): number {
  return offset + BODY_HEADER_BYTES;
}

/** Where its bundle ends; the leaf hashes, if it has several recipients, follow. */
export function packedEnd(bodies: Uint8Array, offset: number): number {
  return packedBundle(offset) + getU32(bodies, offset + 40);
}
