/**
 * countersign's store (src/server/store.ts), except that a write is a synchronous transaction: for who waits for each anyway,
 * that is a quarter of the CPU, as nothing goes to another thread and comes back.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import type { StoreReader, StoreRecord } from '../../src/actors/messages.js';

const MAP_BYTES = 2 ** 40;

export class SyncStore implements Pick<StoreReader, 'get' | 'range'> {
  private readonly database: RootDatabase<Buffer, Buffer>;

  constructor(dataDirectory: string) {
    const path = join(dataDirectory, 'store');
    mkdirSync(path, { recursive: true });
    this.database = open({
      path,
      keyEncoding: 'binary',
      encoding: 'binary',
      mapSize: MAP_BYTES,
      overlappingSync: false,
    });
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.database.getBinary(key as Buffer);
  }

  *range(from: Uint8Array, to: Uint8Array): Iterable<{ key: Uint8Array; value: Uint8Array }> {
    yield* this.database.getRange({ start: from as Buffer, end: to as Buffer });
  }

  /** On disk when `durable` is called, which is before this returns. */
  write(records: readonly StoreRecord[], durable: () => void): void {
    this.database.transactionSync(() => {
      for (const { key, value } of records) {
        if (value === null) this.database.removeSync(key as Buffer);
        else this.database.putSync(key as Buffer, value as Buffer);
      }
    });
    durable();
  }

  close(): Promise<void> {
    return this.database.close();
  }
}
