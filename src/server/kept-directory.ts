/** The data directory of a server that is stopped, as an audit reads it. */
import { join } from 'node:path';
import { StoreSource } from '../actors/kept-source.js';
import { Placements } from '../actors/placements.js';
import type { EpochSource } from '../protocol/audit/index.js';
import { FormatError } from '../protocol/index.js';
import { lockDataDirectory } from './data-lock.js';
import { readIdentity } from './founding.js';
import { OperatorError } from './operator-error.js';
import { Store } from './store.js';
import { checkStoreFile } from './store-file.js';

export interface KeptDirectory {
  readonly source: EpochSource;
  close(): Promise<void>;
}

/**
 * Nothing in it is changed but the lock's own files. Throws `OperatorError` when it is none, or not whole, or a server
 * runs on it.
 */
export async function openKeptDirectory(data: string): Promise<KeptDirectory> {
  // Before anything is made there: it may be anybody's directory.
  checkStoreFile(join(data, 'store', 'data.mdb'));
  const lock = await lockDataDirectory(data);
  let store: Store | null = null;
  try {
    store = Store.openToRead(data);
    const identity = readIdentity(store);
    if (!identity) throw notOurs(data);
    const { serverId, manifests } = identity;
    const placements = new Placements(serverId, manifests);
    const source = new StoreSource({ reader: store, placements }, manifests);
    const opened = store;
    return {
      source,
      async close() {
        await opened.close();
        await lock.release();
      },
    };
  } catch (error) {
    await store?.close();
    await lock.release();
    if (error instanceof FormatError) throw unreadable(error);
    throw error;
  }
}

function notOurs(data: string): OperatorError {
  const next = 'Name the directory that the server was started with (--data).';
  return new OperatorError('data-not-found', `the store in ${data} has no manifest of a server`, next);
}

function unreadable(cause: FormatError): OperatorError {
  const next = 'Restore the data directory from a whole copy.';
  return new OperatorError('data-damaged', `the manifest cannot be read: ${cause.message}`, next, { cause });
}
