/**
 * The store: one LMDB environment that holds everything durable. The only home of the database.
 *
 * One thread writes, every thread reads. `write` gives one transaction per call, and calls back when
 * it is on disk: with `overlappingSync` off, LMDB's commit itself ends with fdatasync and a synchronous
 * write of the meta page, so a commit that has returned is durable. After a crash the environment is
 * as the last whole transaction left it; there is nothing to replay.
 */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import type { StoreReader, StoreRecord } from '../actors/messages.js';
import { OperatorError } from './operator-error.js';
import { checkStoreFile } from './store-file.js';

/** Address space reserved for the map; the file grows with what is in it. */
const MAP_BYTES = 2 ** 40;
const REASON_MS = 500;

export class Store implements StoreReader {
  private readonly spare: Buffer[] = [];

  private constructor(
    private readonly database: RootDatabase<Buffer, Buffer>,
    private readonly failed: (error: Error) => void,
  ) {}

  /**
   * Opens the store below the data directory. Any number of threads of the process that holds the data
   * lock may; one of them writes. `failed` is told when a write could not be made durable: the server
   * must then stop, because what it holds in memory is ahead of the disk.
   */
  static open(dataDirectory: string, failed: (error: Error) => void): Store {
    const path = join(dataDirectory, 'store');
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const database = open<Buffer, Buffer>({
      path,
      keyEncoding: 'binary',
      encoding: 'binary',
      mapSize: MAP_BYTES,
      overlappingSync: false,
    });
    return new Store(database, failed);
  }

  /**
   * As `open`, for the first thread of a server: throws `OperatorError` where what is there is not a whole store. No file, or an
   * empty one, is a store that is yet to be made.
   */
  static openToServe(dataDirectory: string, failed: (error: Error) => void): Store {
    const file = join(dataDirectory, 'store', 'data.mdb');
    if (statSync(file, { throwIfNoEntry: false })?.size) checkStoreFile(file);
    return Store.open(dataDirectory, failed);
  }

  /**
   * Opens what is there, for reading: nothing is made or written. Who does so holds the data lock as well. Throws
   * `OperatorError` where there is no store, or not a whole one.
   */
  static openToRead(dataDirectory: string): Store {
    const path = join(dataDirectory, 'store');
    checkStoreFile(join(path, 'data.mdb'));
    const database = open<Buffer, Buffer>({
      path,
      keyEncoding: 'binary',
      encoding: 'binary',
      mapSize: MAP_BYTES,
      readOnly: true,
    });
    return new Store(database, () => {});
  }

  /** A copy of the value. */
  get(key: Uint8Array): Uint8Array | undefined {
    return plain(this.database.getBinary(key as Buffer));
  }

  /** A buffer that the next read writes over. */
  view(key: Uint8Array): Uint8Array | undefined {
    return plain(this.database.getBinaryFast(key as Buffer));
  }

  keys(from: Uint8Array, to: Uint8Array): Iterable<Uint8Array> {
    return this.database.getKeys({ start: from as Buffer, end: to as Buffer });
  }

  *range(
    from: Uint8Array,
    to: Uint8Array,
  ): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
    yield* this.database.getRange({ start: from as Buffer, end: to as Buffer });
  }

  /** The entry with the highest key in [from, to). */
  last(
    from: Uint8Array,
    to: Uint8Array,
  ): { readonly key: Uint8Array; readonly value: Uint8Array } | undefined {
    for (const entry of this.database.getRange({
      start: to as Buffer,
      end: from as Buffer,
      reverse: true,
      exclusiveStart: true,
      inclusiveEnd: true,
      limit: 1,
    })) {
      return entry;
    }
    return undefined;
  }

  /** Sees what other threads have committed by now. */
  refresh(): void {
    this.database.resetReadTxn();
  }

  /** Makes all records durable, or none; calls back when they are on disk. Calls keep their order. */
  write(records: readonly StoreRecord[], durable: () => void): void {
    const used: Buffer[] = [];
    const written = this.database.batch(() => {
      for (const { key, value } of records) {
        if (value === null) this.database.remove(key as Buffer);
        else this.database.put(key as Buffer, this.private(value, used));
      }
    });
    written.then(
      () => {
        this.spare.push(...used);
        durable();
      },
      (error: Error) => void reasonOf(error).then((reason) => this.failed(writeFailed(reason))),
    );
  }

  /**
   * Makes everything durable that `run` writes, or nothing where it throws: in one transaction, in which it also reads what
   * it has written. Memory does not grow with it. Nothing else runs on this thread meanwhile. Throws `OperatorError`
   * `store-failed` where it could not be made durable.
   */
  transaction(run: (write: (record: StoreRecord) => void) => void): void {
    let thrown: unknown = null;
    try {
      this.database.transactionSync(() => {
        try {
          run(({ key, value }) => {
            if (value === null) this.database.remove(key as Buffer);
            else this.database.put(key as Buffer, value as Buffer);
          });
        } catch (error) {
          thrown = error;
          throw error;
        }
      });
    } catch (error) {
      throw thrown ?? writeFailed(error as Error);
    }
  }

  /** The bindings crash on values in shared memory, so those are copied into recycled private memory. */
  private private(value: Uint8Array, used: Buffer[]): Buffer {
    if (!(value.buffer instanceof SharedArrayBuffer)) return value as Buffer;
    const spare = this.spare.findIndex((buffer) => buffer.length >= value.length);
    const buffer =
      spare >= 0 ? this.spare.splice(spare, 1)[0]! : Buffer.allocUnsafeSlow(sizeFor(value.length));
    used.push(buffer);
    buffer.set(value);
    return buffer.subarray(0, value.length);
  }

  async close(): Promise<void> {
    await this.database.close();
  }
}

/** Of a buffer's real length, and with the `slice` that copies. */
function plain(buffer: Buffer | undefined): Uint8Array | undefined {
  return buffer && new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** The database gives the reason of a failed commit as a promise that is rejected with it a little later. */
function reasonOf(error: Error & { readonly commitError?: Promise<never> }): Promise<Error> {
  const reason = error.commitError?.catch((cause: Error) => cause);
  const late = new Promise<Error>((resolve) => setTimeout(() => resolve(error), REASON_MS));
  return reason ? Promise.race([reason, late]) : Promise.resolve(error);
}

function writeFailed(cause: Error): OperatorError {
  return new OperatorError(
    'store-failed',
    `the store could not make a write durable: ${cause.message}`,
    'Make room on its disk, or replace it; then start again. Nothing that was acknowledged is lost.',
    { cause },
  );
}

function sizeFor(bytes: number): number {
  let size = 1 << 16;
  while (size < bytes) size *= 2;
  return size;
}
