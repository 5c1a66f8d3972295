/**
 * What a start finds in the store: how far the log goes and that everything else goes as far.
 *
 * The log decides: an epoch is committed when its leaf is durable. An epoch is one transaction, so
 * nothing can lie above the last leaf or be missing at it; both are checked all the same, because a
 * disk, a copy or a restored backup may say otherwise.
 */
import { logNodes, logRecordLeaf } from '../actors/log-store.js';
import type { StoreRecord } from '../actors/messages.js';
import { RESERVED_KEY } from '../actors/sequencer.js';
import { epochKey, numberKey, TABLE } from '../actors/store-keys.js';
import { decodeEpochLeaf, Frontier, gapHashes, getU64 } from '../protocol/index.js';
import { OperatorError } from './operator-error.js';
import type { Store } from './store.js';

export interface LogState {
  readonly size: number;
  /** Newest committed epoch; 0 = none. */
  readonly lastEpoch: number;
  /** Highest epoch number that may have been signed. */
  readonly reserved: number;
}

const HIGHEST = Number.MAX_SAFE_INTEGER;

/**
 * Throws `OperatorError` `data-damaged` when the log and what it commits do not fit together. Drops,
 * durably, whatever lies above the last leaf.
 */
export async function recoverLog(store: Store): Promise<LogState> {
  const newest = store.last(numberKey(TABLE.log, 0), numberKey(TABLE.log, HIGHEST));
  const size = newest ? getU64(newest.key, 1) + 1 : 0;
  const lastEpoch = newest ? decodeEpochLeaf(logRecordLeaf(newest.value)).epoch : 0;
  const reserved = getU64(store.get(RESERVED_KEY) ?? new Uint8Array(8), 0);
  if (lastEpoch > reserved)
    throw damaged(`epoch ${lastEpoch} is committed, but only ${reserved} are reserved`);
  if (size > 0 && !store.get(numberKey(TABLE.attestations, lastEpoch)))
    throw damaged(`epoch ${lastEpoch} has no attestations`);
  const surplus = recordsAbove(store, lastEpoch);
  if (surplus.length > 0) await new Promise<void>((done) => store.write(surplus, done));
  return { size, lastEpoch, reserved };
}

function recordsAbove(store: Store, epoch: number): StoreRecord[] {
  const records: StoreRecord[] = [];
  for (const table of [
    TABLE.attestations,
    TABLE.inboxRows,
    TABLE.senderRuns,
    TABLE.links,
    TABLE.bodies,
    TABLE.references,
  ]) {
    for (const { key } of store.range(epochKey(table, epoch + 1, 0), epochKey(table, HIGHEST, 0))) {
      records.push({ key: Uint8Array.from(key), value: null });
    }
  }
  return records;
}

/** The log's frontier, read from the nodes that make it up. */
export function readFrontier(store: Store, size: number): Frontier {
  return Frontier.from(size, gapHashes(logNodes(store), 0, size));
}

function damaged(what: string): OperatorError {
  return new OperatorError(
    'data-damaged',
    `the data directory is damaged: ${what}`,
    'Restore all of it from one backup, or start with a new one.',
  );
}
