/** A writer of frames one after another, that copies out of larger arrays and fills in counts afterwards. */
import { copyBytes, putU16, putU32, viewOf, Writer } from './bytes.js';

export class FrameWriter extends Writer {
  /** Of all that is and may be written; another one once it has grown. */
  view = viewOf(this.buffer);

  override grow(size: number): number {
    const { buffer } = this;
    const at = super.grow(size);
    if (buffer !== this.buffer) this.view = viewOf(this.buffer);
    return at;
  }

  /** Copies `length` bytes of what `from` looks at, from `fromAt`. */
  append(from: DataView, fromAt: number, length: number): this {
    const at = this.grow(length);
    copyBytes(from, fromAt, this.view, at, length);
    return this;
  }

  /** Overwrites a 32-bit integer written earlier. */
  patchU32(at: number, value: number): void {
    putU32(this.buffer, at, value);
  }

  /** Overwrites a 16-bit integer written earlier. */
  patchU16(at: number, value: number): void {
    putU16(this.buffer, at, value);
  }

  reset(): void {
    this.length = 0;
  }
}
