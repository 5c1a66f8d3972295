/**
 * A table of state, by id or number, that is larger than memory. Changes are kept in memory and written in bulk
 * (`flush`) with some later epoch; until then a restart rebuilds them from the epochs' own records.
 * So an epoch's commit costs the same however many ids there are.
 *
 * Lookup order: changed since the last flush, being flushed, recently used, the store.
 */
import type { StoreReader, StoreRecord } from './messages.js';

export interface StateCodec<V> {
  /** Null deletes: a state that is as good as none. */
  encode(value: V): Uint8Array | null;
  decode(bytes: Uint8Array): V;
}

/**
 * So many changes of all actors of a kind are written with the next epoch, however recent the last flush is. Each may touch a
 * page of the store of its own, 4 KiB, and the database keeps the memory of the most pages it ever wrote at
 * once. The more are written together, the more of them share a page or were one state that changed again.
 */
export const FLUSH_CHANGED = 16_384;
/** When an actor writes its changed states. */
export interface FlushOptions {
  /** So many epochs after it did last. */
  readonly flushEpochs: number;
  /** Or as soon as so many have changed. */
  readonly flushChanged: number;
}

/** Clean entries kept in memory: at most twice this many. */
const GENERATION = 20_000;

export class StateTable<K, V> {
  private dirty = new Map<K, V>();
  private flushing = new Map<K, V>();
  private recent = new Map<K, V>();
  private older = new Map<K, V>();

  constructor(
    private readonly reader: StoreReader,
    private readonly keyOf: (id: K) => Uint8Array,
    private readonly codec: StateCodec<V>,
    private readonly generation = GENERATION,
  ) {}

  get(id: K): V | undefined {
    return this.dirty.get(id) ?? this.flushing.get(id) ?? this.recent.get(id) ?? this.load(id);
  }

  private load(id: K): V | undefined {
    let value = this.older.get(id);
    if (value === undefined) {
      const bytes = this.reader.get(this.keyOf(id));
      if (bytes === undefined) return undefined;
      value = this.codec.decode(bytes);
    }
    this.remember(id, value);
    return value;
  }

  private remember(id: K, value: V): void {
    if (this.recent.size >= this.generation) {
      this.older = this.recent;
      this.recent = new Map();
    }
    this.recent.set(id, value);
  }

  /** Says that `value` is, or has become, the state of `id`. */
  put(id: K, value: V): void {
    this.dirty.set(id, value);
  }

  get changed(): number {
    return this.dirty.size;
  }

  /** Everything changed, as records for the epoch being signed. Call `flushed` when it is durable. */
  flush(): StoreRecord[] {
    const records: StoreRecord[] = [];
    for (const [id, value] of this.dirty) {
      records.push({ key: this.keyOf(id), value: this.codec.encode(value) });
      this.flushing.set(id, value);
    }
    this.dirty = new Map();
    return records;
  }

  flushed(): void {
    if (this.flushing.size === 0) return;
    for (const [id, value] of this.flushing) if (!this.dirty.has(id)) this.remember(id, value);
    this.flushing = new Map();
  }
}
