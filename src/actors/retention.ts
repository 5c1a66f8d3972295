/** Deletes what stages have signed once it is older than the retention and nobody's mail needs it. */
import { getU16, getU64 } from '../protocol/index.js';
import type { StoreReader, StoreRecord } from './messages.js';
import { epochKey, flushMarkKey, numberKey, TABLE, type Table } from './store-keys.js';

/** Epochs looked at per commit and cursor: more than one commit adds, so that a backlog of old ones shrinks. */
const EPOCHS_PER_COMMIT = 4;

/**
 * Goes over the keys of a table by epoch, a few at a time: one cursor keeps up with the epochs that get old, the
 * other goes round and round over what the first has left behind. Nothing of it needs to last.
 */
export class Sweep {
  private again = 0;
  private passed: number;

  /** Epochs above `passed` are for the first cursor. */
  constructor(
    private readonly reader: StoreReader,
    private readonly table: Table,
    passed: number,
  ) {
    this.passed = Math.max(0, passed);
  }

  /** Epochs through `through` whose turn it is and of whose keys `takes` wants one. */
  next(through: number, takes: (key: Uint8Array) => boolean = () => true): number[] {
    const last = this.passed;
    const epochs: number[] = [];
    const go = (after: number, to: number) => {
      if (to <= after) return null;
      let at = after;
      let looked = 0;
      for (const key of this.reader.keys(numberKey(this.table, after + 1), numberKey(this.table, to + 1))) {
        const epoch = getU64(key, 1);
        // Also those that are not wanted, or somebody would look at everybody else's each time.
        if (epoch !== at && ++looked > EPOCHS_PER_COMMIT) return at;
        at = epoch;
        if (takes(key)) epochs.push(epoch);
      }
      return null;
    };
    this.again = go(this.again, last) ?? 0;
    this.passed = go(last, through) ?? Math.max(last, through);
    return epochs;
  }
}

/**
 * Deletions for epochs that are older than the retention, as the sweep comes to them. An epoch with
 * unacknowledged mail is left for another round, as is one that some outbox has not written since: numbers leap when a server
 * starts, and what it counts of epochs just before that is not in the store yet. Log leaves are kept for ever. Before epoch `since` all counts are in the
 * store: bodies without one were left by a crash.
 */
export function expiredRecords(reader: StoreReader, epochs: readonly number[], since: number): StoreRecord[] {
  const records: StoreRecord[] = [];
  for (const epoch of epochs) {
    if (hasAny(reader, TABLE.references, epoch)) continue;
    if (epoch >= since && (hasAny(reader, TABLE.bodies, epoch) || isUncounted(reader, epoch))) continue;
    records.push({ key: numberKey(TABLE.attestations, epoch), value: null });
    for (const table of TABLES) records.push(...deletions(reader, table, epoch));
  }
  return records;
}

const TABLES = [
  TABLE.inboxRows,
  TABLE.senderRuns,
  TABLE.submissions,
  TABLE.links,
  TABLE.stills,
  TABLE.bodies,
];

/** Whether an outbox has links in the epoch and has not written since how many mailboxes need them. */
function isUncounted(reader: StoreReader, epoch: number): boolean {
  const outboxes = Array.from(keysOf(reader, TABLE.links, epoch), (key) => getU16(key, 9));
  return outboxes.some((outbox) => {
    const mark = reader.get(flushMarkKey('outbox', outbox));
    return !mark || getU64(mark, 0) < epoch;
  });
}

/** Of everything that a table has of an epoch. */
export function deletions(reader: StoreReader, table: Table, epoch: number): StoreRecord[] {
  return [...keysOf(reader, table, epoch)].map((key) => ({ key: Uint8Array.from(key), value: null }));
}

function keysOf(reader: StoreReader, table: Table, epoch: number): Iterable<Uint8Array> {
  return reader.keys(epochKey(table, epoch, 0), epochKey(table, epoch + 1, 0));
}

export function hasAny(reader: StoreReader, table: Table, epoch: number): boolean {
  for (const _ of keysOf(reader, table, epoch)) return true;
  return false;
}
