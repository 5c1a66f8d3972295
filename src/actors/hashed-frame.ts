/**
 * A submit frame as a request handler lays it into a chunk: its bundles, and behind them what it made of them, so that
 * an inbox reads no bundle:
 *
 *   count × message hash 32 ‖ count × (end of the bundle 4 ‖ where its leaf hashes lie 4) ‖ leaf hashes
 *
 * Offsets are the chunk's. A bundle with one recipient has no leaf hashes, and 0 there.
 */
import { type BundleLimits, HASH_BYTES, sameBytes, viewOf } from '../protocol/index.js';
import { ActorFault, checking } from './attest.js';
import { MessageChecker } from './batch.js';
import type { SubmittedFrame } from './messages.js';

const OFFSETS_BYTES = 8;

/** Bytes behind the bundles of a frame: so many, with so many leaf hashes. */
export function hashedBytes(count: number, leaves: number): number {
  return count * (HASH_BYTES + OFFSETS_BYTES) + leaves * HASH_BYTES;
}

/** Where those two offsets of bundle `k` lie. */
export function offsetsAt({ to, count }: SubmittedFrame, k: number): number {
  return to + count * HASH_BYTES + k * OFFSETS_BYTES;
}

/** Reads what lies behind a frame's bundles. */
export class HashedFrame {
  /** Of the frame's chunk. */
  readonly view: DataView;

  constructor(readonly frame: SubmittedFrame) {
    this.view = viewOf(frame.chunk.bytes);
  }

  /** Where bundle `k` starts in the chunk. */
  from(k: number): number {
    return k === 0 ? this.frame.from : this.to(k - 1);
  }

  to(k: number): number {
    return this.view.getUint32(offsetsAt(this.frame, k));
  }

  /** Where its message hash lies. */
  hashAt(k: number): number {
    return this.frame.to + k * HASH_BYTES;
  }

  /** Of messages `from` to below `to`, packed. */
  messageHashes(from: number, to: number): Uint8Array {
    return this.frame.chunk.bytes.subarray(this.hashAt(from), this.hashAt(to));
  }

  /** Where its recipients' leaf hashes lie; 0 where there is one. */
  leavesAt(k: number): number {
    return this.view.getUint32(offsetsAt(this.frame, k) + 4);
  }
}

/** What `checks: everywhere` does: makes all of it again from the bytes. */
export class FrameChecker {
  private readonly checker: MessageChecker;
  private readonly hash = new Uint8Array(HASH_BYTES);

  constructor(serverId: Uint8Array, limits: BundleLimits) {
    this.checker = new MessageChecker(serverId, limits);
  }

  /** Throws `ActorFault` where a request handler has let in or made something else. */
  check(hashed: HashedFrame): void {
    const { frame } = hashed;
    checking('request handler', () => {
      for (let k = 0; k < frame.count; k++) this.checkBundle(hashed, k);
      if (hashed.to(frame.count - 1) !== frame.to)
        throw new ActorFault('request handler: bytes behind the bundles');
    });
  }

  private checkBundle(hashed: HashedFrame, k: number): void {
    const { frame } = hashed;
    const { bytes } = frame.chunk;
    const end = this.checker.cursor.parse(bytes, hashed.from(k), frame.to);
    this.checker.hash(frame.sender, 0, frame.firstCounter + k, this.hash, 0);
    const isRight = end === hashed.to(k) && sameBytes(this.hash, 0, bytes, hashed.hashAt(k), HASH_BYTES);
    if (!isRight || !this.checker.hasLeaves(bytes, hashed.leavesAt(k)))
      throw new ActorFault(`request handler: other hashes of counter ${frame.firstCounter + k}`);
  }
}
