/**
 * What a start finds in the store: how far the log goes and that everything else goes as far.
 *
 * The log decides: an epoch is committed when its leaf is durable. An epoch is one transaction, so
 * nothing can lie above the last leaf or be missing at it; both are checked all the same, because a
 * disk, a copy or a restored backup may say otherwise. Such a store is refused and left as it is:
 * dropping what lies above the leaf would delete what may have been told to clients.
 */
import { logNodes, logRecordLeaf } from '../actors/log-store.js';
import { RESERVED_KEY } from '../actors/sequencer.js';
import { epochKey, numberKey, TABLE } from '../actors/store-keys.js';
import { decodeEpochLeaf, Frontier, gapHashes, getU64 } from '../protocol/index.js';
import { OperatorError } from './operator-error.js';
import type { Store } from './store.js';

/** What of a store recovery looks at. */
export type RecoveryStore = Pick<Store, 'get' | 'view' | 'keys' | 'range' | 'last'>;

export interface LogState {
  readonly size: number;
  /** Newest committed epoch; 0 = none. */
  readonly lastEpoch: number;
  /** Highest epoch number that may have been signed. */
  readonly reserved: number;
}

const HIGHEST = Number.MAX_SAFE_INTEGER;
const EPOCH_TABLES = [
  TABLE.attestations,
  TABLE.inboxRows,
  TABLE.senderRuns,
  TABLE.submissions,
  TABLE.links,
  TABLE.bodies,
  TABLE.references,
];

/** Throws `OperatorError` `data-damaged` when the log and what it commits do not fit together. */
export function recoverLog(store: RecoveryStore): LogState {
  const newest = store.last(numberKey(TABLE.log, 0), numberKey(TABLE.log, HIGHEST));
  const size = newest ? getU64(newest.key, 1) + 1 : 0;
  const lastEpoch = newest ? decodeEpochLeaf(logRecordLeaf(newest.value)).epoch : 0;
  const reserved = getU64(store.get(RESERVED_KEY) ?? new Uint8Array(8), 0);
  if (lastEpoch > reserved)
    throw damaged(`epoch ${lastEpoch} is committed, but only ${reserved} are reserved`);
  if (size > 0 && !store.get(numberKey(TABLE.attestations, lastEpoch)))
    throw damaged(`epoch ${lastEpoch} has no attestations`);
  const surplus = firstAbove(store, lastEpoch);
  if (surplus !== undefined) throw damaged(`epoch ${surplus} has records and no log leaf`);
  return { size, lastEpoch, reserved };
}

/** An epoch above the last one that something is stored for. */
function firstAbove(store: RecoveryStore, epoch: number): number | undefined {
  for (const table of EPOCH_TABLES) {
    for (const { key } of store.range(epochKey(table, epoch + 1, 0), epochKey(table, HIGHEST, 0)))
      return getU64(key, 1);
  }
  return undefined;
}

/** The log's frontier, read from the nodes that make it up. */
export function readFrontier(store: RecoveryStore, size: number): Frontier {
  return Frontier.from(size, gapHashes(logNodes(store), 0, size));
}

function damaged(what: string): OperatorError {
  return new OperatorError(
    'data-damaged',
    `the data directory is damaged: ${what}`,
    'Restore all of it from one backup, or start with a new one.',
  );
}
