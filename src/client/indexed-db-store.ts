/**
 * A store in an IndexedDB database, for browsers. One `save` is one transaction, on disk when it is done.
 *
 *   state     'owner' → who opened it last · 'server' → server id · 'log N' → log of outbox N ·
 *             'mailbox ID' → chain and counter of the first bundle kept
 *   bundles   [mailbox ID, counter] → bundle
 *
 * Two pages with one database: whoever opens it last owns it. A save of an earlier owner fails, inside its
 * transaction, with `displaced`; as nothing is shown or sent before it is saved, that page ends there and
 * then, and nothing that it saved before is lost or undone.
 */
import { randomBytes } from '#crypto';
import { CountersignError, toHex } from '../protocol/index.js';
import { applyChange, type Change, nothingSaved, type Saved, type Store, savedMailbox } from './store.js';

const STATE = 'state';
const BUNDLES = 'bundles';
const OWNER = 'owner';

type Rows = readonly (readonly [key: IDBValidKey, value: unknown])[];

export class IndexedDbStore implements Store {
  private readonly owner = toHex(randomBytes(16));
  private saved = nothingSaved();
  private db: IDBDatabase | null = null;

  constructor(readonly name = 'countersign') {}

  /** Takes the database over. Rejects with `store-corrupt` when it holds what no saves led to. */
  async load(): Promise<Saved> {
    this.db = await openDatabase(this.name);
    // It is being deleted: that is not held up.
    this.db.onversionchange = () => this.close();
    let state: Rows = [];
    let bundles: Rows = [];
    await this.transact((transaction) => {
      transaction.objectStore(STATE).put(this.owner, OWNER);
      readAll(transaction.objectStore(STATE), (rows) => {
        state = rows;
      });
      readAll(transaction.objectStore(BUNDLES), (rows) => {
        bundles = rows;
      });
    });
    this.saved = fromRows(state, bundles);
    return fromRows(state, bundles);
  }

  async save(changes: readonly Change[]): Promise<void> {
    for (const change of changes) applyChange(this.saved, change);
    let isOwner = true;
    const write = (transaction: IDBTransaction) => {
      const asked = transaction.objectStore(STATE).get(OWNER);
      asked.onsuccess = () => {
        isOwner = asked.result === this.owner;
        if (isOwner) for (const change of changes) this.write(transaction, change);
        else transaction.abort();
      };
    };
    await this.transact(write).catch((error: unknown) => {
      throw isOwner ? error : new CountersignError('displaced', `${this.name}: opened by another page`);
    });
  }

  private write(transaction: IDBTransaction, change: Change): void {
    const state = transaction.objectStore(STATE);
    const bundles = transaction.objectStore(BUNDLES);
    if (change.type === 'server') return void state.put(own(change.serverId), 'server');
    if (change.type === 'log') return void state.put(own(change.log), `log ${change.outbox}`);
    const { mailbox } = change;
    const { chain, firstCounter } = savedMailbox(this.saved, mailbox);
    state.put(own({ chain, firstCounter }), `mailbox ${mailbox}`);
    const drop = (from: number, through: number) =>
      bundles.delete(IDBKeyRange.bound([mailbox, from], [mailbox, through]));
    if (change.type === 'receipted') drop(0, change.through);
    if (change.type !== 'submitted') return;
    drop(change.first, Number.POSITIVE_INFINITY);
    change.bundles.forEach((bundle, i) => {
      bundles.put(own(bundle), [mailbox, change.first + i]);
    });
  }

  /** Resolves when what `run` asks for is on disk. */
  private transact(run: (transaction: IDBTransaction) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.db!.transaction([STATE, BUNDLES], 'readwrite', { durability: 'strict' });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      run(transaction);
    });
  }

  close(): void {
    this.db?.close();
    this.db = null;
  }
}

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(STATE);
      request.result.createObjectStore(BUNDLES);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** All rows, in the order of their keys. */
function readAll(store: IDBObjectStore, done: (rows: Rows) => void): void {
  const keys = store.getAllKeys();
  const values = store.getAll();
  values.onsuccess = () => done(keys.result.map((key, i) => [key, values.result[i]]));
}

/** Throws `store-corrupt` on bundles that skip a counter. */
function fromRows(state: Rows, bundles: Rows): Saved {
  const saved = nothingSaved();
  for (const [key, value] of state) {
    const [kind, id] = String(key).split(' ') as [string, string];
    if (kind === 'server') saved.serverId = value as Uint8Array;
    else if (kind === 'log') saved.logs.set(Number(id), value as never);
    else if (kind === 'mailbox') Object.assign(savedMailbox(saved, id), value);
  }
  for (const [key, value] of bundles) {
    const [id, counter] = key as [string, number];
    const mailbox = savedMailbox(saved, id);
    if (counter !== mailbox.firstCounter + mailbox.bundles.length)
      throw new CountersignError('store-corrupt', `${id}: bundle ${counter} does not follow`);
    mailbox.bundles.push(value as Uint8Array);
  }
  return saved;
}

/** A copy whose bytes have their own memory: a view would be written with everything that it looks into. */
function own<T>(value: T): T {
  if (value instanceof Uint8Array) return value.slice() as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, own(each)])) as T;
}
