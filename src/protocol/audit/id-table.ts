/** What an audit remembers by id from epoch to epoch: a row of fixed size each, packed. */
import { viewOf } from '../bytes.js';

export class IdTable {
  private readonly slots = new Map<string, number>();
  private bytes: Uint8Array;
  private current: DataView;

  constructor(private readonly rowBytes: number) {
    this.bytes = new Uint8Array(1024 * rowBytes);
    this.current = viewOf(this.bytes);
  }

  get size(): number {
    return this.slots.size;
  }

  ids(): Iterable<string> {
    return this.slots.keys();
  }

  /** Offset of the id's row; −1 where there is none. */
  find(id: string): number {
    const slot = this.slots.get(id);
    return slot === undefined ? -1 : slot * this.rowBytes;
  }

  /** Offset of the id's row, which is zeros when it is new. */
  take(id: string): number {
    const known = this.find(id);
    if (known >= 0) return known;
    const at = this.slots.size * this.rowBytes;
    this.slots.set(id, this.slots.size);
    if (at + this.rowBytes > this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
      this.current = viewOf(larger);
    }
    return at;
  }

  /** Of all rows; a new one after `take`. */
  get rows(): Uint8Array {
    return this.bytes;
  }

  get view(): DataView {
    return this.current;
  }
}

/** An id as a key: a character per byte. */
export function idText(bytes: Uint8Array, at = 0): string {
  let text = '';
  for (let i = at; i < at + 32; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/** The id of a key. */
export function idOf(text: string): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => text.charCodeAt(i));
}
