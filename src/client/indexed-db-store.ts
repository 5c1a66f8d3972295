/**
 * A store in an IndexedDB database, for browsers. One `save` is one transaction, on disk when it is done. Its rows,
 * in the order of their keys, are changes that lead to what was saved:
 *
 *   'owner'                              who opened it last
 *   ['chain', mailbox], ['log', outbox], ['receipted', mailbox], ['kept', name], ['server', '']
 *                                        the last change of its kind
 *   ['next', mailbox]                    no bundles, from the counter behind the last one that was kept
 *   ['submitted', mailbox, counter]      a bundle
 *
 * Two pages with one database: whoever opens it last owns it. A save of an earlier owner fails, inside its
 * transaction, with `displaced`; as nothing is shown or sent before it is saved, that page ends there and
 * then, and nothing that it saved before is lost or undone.
 */
import { randomBytes } from '#crypto';
import { CountersignError, toHex } from '../protocol/index.js';
import { applyChange, type Change, nothingSaved, type Saved, type Store } from './store.js';

const ROWS = 'rows';
const OWNER = 'owner';

type Key = readonly [type: string, of?: string | number, counter?: number];

export class IndexedDbStore implements Store {
  private readonly owner = toHex(randomBytes(16));
  private db: IDBDatabase | null = null;

  constructor(readonly name = 'countersign') {}

  /** Takes the database over. Rejects with `store-corrupt` when it holds what no saves led to. */
  async load(): Promise<Saved> {
    this.db = await openDatabase(this.name);
    // It is being deleted: that is not held up.
    this.db.onversionchange = () => this.close();
    let keys!: IDBRequest<IDBValidKey[]>;
    let values!: IDBRequest<unknown[]>;
    await this.transact((rows) => {
      rows.put(this.owner, OWNER);
      // Texts sort before all of them.
      const changes = IDBKeyRange.lowerBound([]);
      keys = rows.getAllKeys(changes);
      values = rows.getAll(changes);
    });
    const saved = nothingSaved();
    try {
      keys.result.forEach((key, i) => {
        applyChange(saved, changeOf(key as never, values.result[i]));
      });
    } catch (error) {
      throw new CountersignError('store-corrupt', `${this.name}: ${String(error)}`);
    }
    return saved;
  }

  async save(changes: readonly Change[]): Promise<void> {
    let isOwner = true;
    const write = (rows: IDBObjectStore) => {
      const asked = rows.get(OWNER);
      asked.onsuccess = () => {
        isOwner = asked.result === this.owner;
        if (isOwner) for (const change of changes) put(rows, change);
        else rows.transaction.abort();
      };
    };
    await this.transact(write).catch((error: unknown) => {
      throw isOwner ? error : new CountersignError('displaced', `${this.name}: opened by another page`);
    });
  }

  /** Resolves when what `run` asks for is on disk. */
  private transact(run: (rows: IDBObjectStore) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.db!.transaction(ROWS, 'readwrite', { durability: 'strict' });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      run(transaction.objectStore(ROWS));
    });
  }

  close(): void {
    this.db?.close();
    this.db = null;
  }
}

function put(rows: IDBObjectStore, change: Change): void {
  const { type } = change;
  const { mailbox, outbox, name } = change as { mailbox?: string; outbox?: number; name?: string };
  const of = mailbox ?? outbox ?? name ?? '';
  const drop = (from: number, through: number) =>
    rows.delete(IDBKeyRange.bound(['submitted', of, from], ['submitted', of, through]));
  if (type === 'receipted') drop(0, change.through);
  if (type !== 'submitted') return void rows.put(own(change), [type, of]);
  const { first, bundles } = change;
  drop(first, Infinity);
  bundles.forEach((bundle, i) => {
    rows.put(own(bundle), [type, of, first + i]);
  });
  rows.put({ ...change, first: first + bundles.length, bundles: [] }, ['next', of]);
}

function changeOf([type, mailbox, first]: Key, value: unknown): Change {
  if (type !== 'submitted') return value as Change;
  return { type, mailbox: mailbox as string, first: first!, bundles: [value as Uint8Array] };
}

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(ROWS);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** A copy whose bytes have their own memory: a view would be written with everything that it looks into. */
function own<T>(value: T): T {
  if (value instanceof Uint8Array) return value.slice() as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, own(each)])) as T;
}
