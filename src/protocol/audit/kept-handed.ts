/** Puts hand-overs together of their parts (kept-parts.ts): kind 11, any number of kind 12, and kind 8. */
import { FormatError, Reader, Writer } from '../bytes.js';
import type { HandingRole } from '../hand-over.js';
import type { Handing } from '../handings.js';
import { NEVER_EMPTY, PART, type Part } from './kept-parts.js';
import type { KeptHandOver } from './source.js';

/** Bytes of all hand-overs: more than this, within the retention, is not read. */
const MAX_HANDED = 2 ** 31;

export class HandOverBuilder {
  private head: (Handing & Pick<KeptHandOver, 'statement'>) | null = null;
  private leaves = new Writer();
  private length = 0;

  /** The hand-over that ends with this part. Throws `FormatError` on a part out of its place, and where there are too many. */
  add({ kind, bytes }: Part): KeptHandOver | null {
    const { head } = this;
    this.length += bytes.length;
    if (this.length > MAX_HANDED) throw new FormatError(`hand-overs of more than ${MAX_HANDED} bytes`);
    if (bytes.length === 0 && NEVER_EMPTY.includes(kind)) throw new FormatError(`an empty part ${kind}`);
    if ((kind === PART.handOver) === (head !== null)) throw new FormatError(`part ${kind} out of its place`);
    if (!head) return this.begin(new Reader(bytes));
    if (kind === PART.handed) {
      this.leaves.bytes(bytes);
      return null;
    }
    if (kind !== PART.end) throw new FormatError(`part ${kind} is none of a hand-over`);
    const leaves = bytes[0] === 1 ? this.leaves.done() : null;
    this.head = null;
    this.leaves = new Writer();
    return { ...head, leaves };
  }

  private begin(from: Reader): null {
    const handing = { version: from.u8(), role: from.u8() as HandingRole, from: from.u16(), to: from.u16() };
    this.head = { ...handing, statement: from.bytes(from.limit - from.at) };
    return null;
  }
}
