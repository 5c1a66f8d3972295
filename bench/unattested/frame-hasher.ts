/** In the place of src/actors/frame-hasher.ts: no preimage is put together. */
import { leafBytes } from '../../src/actors/batch.js';
import { hashedBytes, offsetsAt } from '../../src/actors/hashed-frame.js';
import type { SubmittedFrame } from '../../src/actors/messages.js';
import { BundleView, viewOf } from '../../src/protocol/index.js';

export class FrameHasher {
  private readonly bundle = new BundleView();

  hash(frame: SubmittedFrame, ends: Uint32Array): void {
    const { chunk, from, to, count } = frame;
    const out = viewOf(chunk.bytes);
    let leavesAt = to + hashedBytes(count, 0);
    for (let k = 0, start = from; k < count; k++) {
      const end = from + ends[k]!;
      this.bundle.jump(chunk.bytes, start, end);
      const leaves = leafBytes(this.bundle.recipients);
      out.setUint32(offsetsAt(frame, k), end);
      out.setUint32(offsetsAt(frame, k) + 4, leaves > 0 ? leavesAt : 0);
      leavesAt += leaves;
      start = end;
    }
    chunk.bytes.fill(0, to, offsetsAt(frame, 0));
    chunk.bytes.fill(0, to + hashedBytes(count, 0), leavesAt);
  }
}
