/** Hashes the bundles of a submit frame (hashed-frame.ts), all at once (hash-lanes.ts). */
import { sha256Into } from '#crypto';
import { HashLanes, MOST_BYTES } from '../crypto/hash-lanes.js';
import {
  BundleView,
  COUNT_AT,
  COUNTER_AT,
  copy32,
  copyBytes,
  copyShort,
  HASH_BYTES,
  LEAF_PART_BYTES,
  MessageHasher,
  merkleRoot,
  putU16,
  putU64,
  R_AT,
  RECIPIENT_PAGE,
  recipientPages,
  viewOf,
} from '../protocol/index.js';
import { leafBytes } from './batch.js';
import { hashedBytes, offsetsAt } from './hashed-frame.js';
import type { SubmittedFrame } from './messages.js';

/** What the preimage of a message takes of the leaf of its only recipient. */
const LEAF_BYTES = 80;

export class FrameHasher extends MessageHasher {
  private readonly lanes = new HashLanes();
  private readonly bundle = new BundleView();
  /** What messages of a frame begin with; all of one that is too long for the lanes. */
  private readonly preimageView = viewOf(this.preimage);

  /** Hashes bundles where they lie, behind which there is room. `ends`: of each, counted from the first's start. */
  hash(frame: SubmittedFrame, ends: Uint32Array): void {
    const { from, to, count, chunk } = frame;
    const { bundle } = this;
    const out = viewOf(chunk.bytes);
    this.sender(frame.sender, 0);
    let leavesAt = to + hashedBytes(count, 0);
    for (let k = 0, start = from; k < count; k++, start = bundle.end) {
      bundle.jump(chunk.bytes, start, from + ends[k]!);
      const offsets = offsetsAt(frame, k);
      const leaves = leafBytes(bundle.recipients);
      out.setUint32(offsets, bundle.end);
      out.setUint32(offsets + 4, leaves > 0 ? leavesAt : 0);
      // It lies where the message's hash will lie, which it goes into.
      this.part(bundle.bodyAt, bundle.end, out, to + k * HASH_BYTES);
      for (let i = 0; i * HASH_BYTES < leaves; i++)
        this.part(bundle.leafAt(i), bundle.leafAt(i) + LEAF_PART_BYTES, out, leavesAt + i * HASH_BYTES);
      leavesAt += leaves;
    }
    this.lanes.finish();
    for (let k = 0, start = from; k < count; k++, start = bundle.end) {
      bundle.jump(chunk.bytes, start, from + ends[k]!);
      this.message(frame, k, out);
    }
    this.lanes.finish();
  }

  private part(from: number, to: number, out: DataView, at: number): void {
    const { bytes, view } = this.bundle;
    const length = to - from;
    if (length > MOST_BYTES) sha256Into(bytes.subarray(from, to), bytes, at);
    else copyShort(view, from, this.lanes.view, this.lanes.next(length, out, at), length);
  }

  /** The bundle's message, whose body and leaves are hashed. */
  private message(frame: SubmittedFrame, k: number, out: DataView): void {
    const { bundle } = this;
    const { recipients } = bundle;
    const at = frame.to + k * HASH_BYTES;
    putU64(this.preimage, COUNTER_AT, frame.firstCounter + k);
    putU16(this.preimage, COUNT_AT, recipients);
    if (recipients === 1) return this.put(out, bundle.blinderAt(0), LEAF_BYTES, out, at);
    const leavesAt = out.getUint32(offsetsAt(frame, k) + 4);
    const bytes = leafBytes(recipients);
    if (recipients <= RECIPIENT_PAGE) return this.put(out, leavesAt, bytes, out, at);
    const leaves = bundle.bytes.subarray(leavesAt, leavesAt + bytes);
    this.put(viewOf(merkleRoot(recipientPages(leaves, recipients))), 0, HASH_BYTES, out, at);
  }

  private put(R: DataView, rAt: number, rBytes: number, out: DataView, at: number): void {
    const { lanes, preimage, preimageView } = this;
    const length = R_AT + rBytes + HASH_BYTES;
    const isLong = length > MOST_BYTES;
    const into = isLong ? preimageView : lanes.view;
    const start = isLong ? 0 : lanes.next(length, out, at);
    if (!isLong) copyShort(preimageView, 0, into, start, R_AT);
    copyBytes(R, rAt, into, start + R_AT, rBytes);
    copy32(out, at, into, start + R_AT + rBytes);
    if (isLong) sha256Into(preimage.subarray(0, length), this.bundle.bytes, at);
  }
}
