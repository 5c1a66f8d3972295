/** A writer of frames one after another, that copies out of larger arrays and fills in counts afterwards. */
import { putU16, Writer } from './bytes.js';

export class FrameWriter extends Writer {
  /** Copies `length` bytes of `data` from `from`, without making a view of them first. */
  slice(data: Uint8Array, from: number, length: number): this {
    const at = this.grow(length);
    if (length > 64) this.buffer.set(data.subarray(from, from + length), at);
    else for (let i = 0; i < length; i++) this.buffer[at + i] = data[from + i]!;
    return this;
  }

  /** Overwrites a 16-bit integer written earlier. */
  patchU16(at: number, value: number): void {
    putU16(this.buffer, at, value);
  }

  reset(): void {
    this.length = 0;
  }
}
