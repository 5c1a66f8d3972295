/** A submit frame whose bundles an inbox has hashed: all that it needs to take them in. */
import { BundleCursor, BundleError, BundleHasher, type BundleLimits, HASH_BYTES } from '../protocol/index.js';
import type { SubmittedFrame } from './messages.js';

/** Why a bundle is refused. */
export interface Flaw {
  readonly code: BundleError['code'];
  readonly text: string;
}

export class HashedFrame {
  frame!: SubmittedFrame;
  /** Of so many bundles; the one behind them has the flaw. */
  count = 0;
  flaw: Flaw | null = null;
  private hashes = new Uint8Array(HASH_BYTES);
  private ends = new Uint32Array(1);
  /** Leaf hashes of recipients, of bundles with several. */
  private leaves: (Uint8Array | null)[] = [];

  /** Begins anew, so that one serves for frame after frame. */
  over(frame: SubmittedFrame): void {
    this.frame = frame;
    this.count = 0;
    this.flaw = null;
    if (frame.count <= this.ends.length) return;
    this.hashes = new Uint8Array(frame.count * HASH_BYTES);
    this.ends = new Uint32Array(frame.count);
  }

  /** Adds the bundle that the hasher is given next. */
  add(hasher: BundleHasher, counter: number, cursor: BundleCursor): void {
    const k = this.count++;
    hasher.bundle(counter, cursor, this.hashes, k * HASH_BYTES);
    this.ends[k] = cursor.end;
    this.leaves[k] = cursor.recipients > 1 ? hasher.leafHashes : null;
  }

  /** Where bundle `k` starts in the frame's chunk. */
  from(k: number): number {
    return k === 0 ? this.frame.from : this.ends[k - 1]!;
  }

  to(k: number): number {
    return this.ends[k]!;
  }

  /** Of messages `from` to below `to`, packed. */
  messageHashes(from: number, to: number): Uint8Array {
    return this.hashes.subarray(from * HASH_BYTES, to * HASH_BYTES);
  }

  messageHash(k: number): Uint8Array {
    return this.messageHashes(k, k + 1);
  }

  /** Null where there is one recipient. */
  leafHashes(k: number): Uint8Array | null {
    return this.leaves[k]!;
  }
}

/** Hashes frames, up to the first bundle with a flaw. Envelope hashes are held against envelopes here. */
export class FrameHasher {
  private readonly hasher: BundleHasher;
  private readonly cursor: BundleCursor;

  constructor(serverId: Uint8Array, limits: BundleLimits) {
    this.hasher = new BundleHasher(serverId);
    this.cursor = new BundleCursor(limits);
  }

  hash(frame: SubmittedFrame, out: HashedFrame): void {
    const { hasher, cursor } = this;
    out.over(frame);
    hasher.sender(frame.sender, 0);
    for (let k = 0, at = frame.from; k < frame.count; k++) {
      // The request handler has parsed it already: an error here is a fault of ours, not a refusal.
      at = cursor.parse(frame.chunk.bytes, at, frame.to);
      out.flaw = envelopeFlaw(cursor);
      if (out.flaw) return;
      out.add(hasher, frame.firstCounter + k, cursor);
    }
  }
}

function envelopeFlaw(cursor: BundleCursor): Flaw | null {
  try {
    cursor.checkEnvelopes();
    return null;
  } catch (error) {
    if (error instanceof BundleError) return { code: error.code, text: error.message };
    throw error;
  }
}
