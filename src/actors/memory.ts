/**
 * Recycled shared memory, one pool for all actors of a thread. Fresh memory costs about 0.5 ms per MiB, recycled 0.03;
 * shared memory goes from thread to thread without copying. Whoever takes a block gives it back, once, when no stage
 * reads it any more (an epoch's blocks: when the epoch is committed).
 */
import { collectGarbage } from './collect-garbage.js';

const SMALLEST = 1 << 12;
/** Up to here sizes are powers of two; between two larger powers there are three more. */
const LARGEST_POWER = 1 << 16;
/** Free bytes kept for reuse; what comes back beyond is left to the garbage collector. */
const MAX_FREE_BYTES = 64 << 20;
/** What was free all the time while so many blocks were taken, and twice as many as there are, is left to it too. */
const TAKEN_PER_TRIM = 256;
/**
 * It does not know how large shared memory is that nobody holds: so it is told when there is so much of it. Not sooner: in a
 * full collection that was asked for V8 throws away what it had compiled for objects that live for an epoch.
 */
const MAX_LEFT_BYTES = 64 << 20;

/** Free blocks of one size, and the fewest there have been since the last trim. */
interface Free {
  readonly blocks: Uint8Array[];
  fewest: number;
}

export class Memory {
  private readonly free = new Map<number, Free>();
  private freeBytes = 0;
  /** Blocks that are free or taken, and how often one was taken since the last trim. */
  private blocks = 0;
  private taken = 0;
  /** Left to the garbage collector, which has not found it yet. */
  private left = { bytes: 0 };
  private readonly found = new FinalizationRegistry<{ of: { bytes: number }; bytes: number }>(
    ({ of, bytes }) => {
      of.bytes -= bytes;
    },
  );

  /** A block of at least `bytes` bytes, not cleared, of at least 4 KiB; a free one of up to twice its size if there is one. */
  take(bytes: number): Uint8Array {
    if (++this.taken >= Math.max(TAKEN_PER_TRIM, 2 * this.blocks)) this.trim();
    const size = sizeClass(bytes);
    for (let each = size; each <= 2 * size; each = sizeClass(each + 1)) {
      const free = this.free.get(each);
      const block = free?.blocks.pop();
      if (!free || !block) continue;
      free.fewest = Math.min(free.fewest, free.blocks.length);
      this.freeBytes -= each;
      return block;
    }
    this.blocks++;
    return new Uint8Array(new SharedArrayBuffer(size));
  }

  give(block: Uint8Array): void {
    const size = block.buffer.byteLength;
    if (this.freeBytes + size > MAX_FREE_BYTES) return this.leave(block);
    this.freeBytes += size;
    const whole = new Uint8Array(block.buffer);
    const free = this.free.get(size);
    if (free) free.blocks.push(whole);
    else this.free.set(size, { blocks: [whole], fewest: 0 });
  }

  private trim(): void {
    this.taken = 0;
    for (const [size, free] of this.free) {
      this.freeBytes -= free.fewest * size;
      for (const block of free.blocks.splice(0, free.fewest)) this.leave(block);
      free.fewest = free.blocks.length;
    }
  }

  private leave({ buffer }: Uint8Array): void {
    const bytes = buffer.byteLength;
    this.blocks--;
    this.left.bytes += bytes;
    this.found.register(buffer, { of: this.left, bytes });
    if (this.left.bytes < MAX_LEFT_BYTES) return;
    // It tells what it has found in a later turn.
    this.left = { bytes: 0 };
    collectGarbage();
  }

  /** A larger block with the first `used` bytes of `block`, which is given back. */
  grow(block: Uint8Array, used: number, bytes: number): Uint8Array {
    const larger = this.take(Math.max(bytes, block.length * 2));
    larger.set(block.subarray(0, used));
    this.give(block);
    return larger;
  }
}

function sizeClass(bytes: number): number {
  let size = SMALLEST;
  while (size < bytes) size *= 2;
  if (size <= LARGEST_POWER) return size;
  const step = size / 8;
  return Math.ceil(bytes / step) * step;
}

/** Blocks that an actor has taken for epochs which are not committed yet. */
export class EpochBlocks {
  private blocks: { readonly epoch: number; readonly block: Uint8Array }[] = [];

  constructor(private readonly memory: Memory) {}

  take(epoch: number, bytes: number): Uint8Array {
    const block = this.memory.take(bytes);
    this.blocks.push({ epoch, block });
    return block;
  }

  /** Of the next epoch there may be some already: what is told by another way comes later. */
  committed(epoch: number): void {
    for (const each of this.blocks) if (each.epoch === epoch) this.memory.give(each.block);
    this.blocks = this.blocks.filter((each) => each.epoch !== epoch);
  }
}
