/** The placed frame: where a sender's messages were placed. */
import { Writer } from './bytes.js';
import { list, struct, u16, u32, u64, type ValueOf } from './fields.js';
import { decodeFrame, encodeFrame, FRAME } from './frames.js';

/** A hint without proof. */
export const placed = struct({
  slot: u16,
  epoch: u64,
  inbox: u16,
  messages: list(u16, struct({ counter: u64, index: u32 })),
});
export type Placed = ValueOf<typeof placed>;

export const encodePlaced = (value: Placed) => encodeFrame(FRAME.placed, placed, value);
export const decodePlaced = (frame: Uint8Array) => decodeFrame(FRAME.placed, placed, frame);

/** The same frame for runs of consecutive counters at consecutive indices, without an object per message. */
export function encodePlacedRuns(
  slot: number,
  epoch: number,
  inbox: number,
  runs: readonly { readonly firstCounter: number; readonly firstIndex: number; readonly count: number }[],
): Uint8Array {
  const count = runs.reduce((sum, run) => sum + run.count, 0);
  const out = new Writer(15 + count * 12).u8(FRAME.placed).u16(slot).u64(epoch).u16(inbox).u16(count);
  for (const { firstCounter, firstIndex, count } of runs) {
    for (let i = 0; i < count; i++) out.u64(firstCounter + i).u32(firstIndex + i);
  }
  return out.done();
}
