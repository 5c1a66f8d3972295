/** The store as tests need it: a sorted map in memory, whose keys compare as bytes do. */
import type { StoreReader, StoreRecord } from '../../src/actors/messages.js';

export class MemoryStore implements StoreReader {
  private readonly records = new Map<string, Uint8Array>();
  private sorted: string[] | null = null;
  private viewed = new Uint8Array(0);

  get(key: Uint8Array): Uint8Array | undefined {
    this.viewed.fill(0xdd);
    return this.records.get(textOf(key));
  }

  /** A buffer that the next read spoils. */
  view(key: Uint8Array): Uint8Array | undefined {
    const value = this.records.get(textOf(key));
    this.viewed.fill(0xdd);
    this.viewed = value ? Uint8Array.from(value) : this.viewed;
    return value && this.viewed;
  }

  /** One that goes on from what this one has. */
  copy(): MemoryStore {
    const copy = new MemoryStore();
    for (const [key, value] of this.records) copy.records.set(key, value);
    return copy;
  }

  /** The entry with the highest key in [from, to). */
  last(from: Uint8Array, to: Uint8Array): { key: Uint8Array; value: Uint8Array } | undefined {
    return [...this.range(from, to)].at(-1);
  }

  *keys(from: Uint8Array, to: Uint8Array): Generator<Uint8Array> {
    for (const { key } of this.range(from, to)) yield key;
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<{ key: Uint8Array; value: Uint8Array }> {
    this.sorted ??= [...this.records.keys()].sort();
    const [first, end] = [textOf(from), textOf(to)];
    for (const key of this.sorted) {
      if (key >= first && key < end) yield { key: Buffer.from(key, 'latin1'), value: this.records.get(key)! };
    }
  }

  /** All or none; values are copied, because their memory is recycled. */
  write(records: readonly StoreRecord[]): void {
    for (const { key, value } of records) {
      if (value) this.records.set(textOf(key), Uint8Array.from(value));
      else this.records.delete(textOf(key));
    }
    this.sorted = null;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
