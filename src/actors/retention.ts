/** Deletes what stages have signed once it is older than the retention and nobody's mail needs it. */
import { getU64 } from '../protocol/index.js';
import type { StoreReader, StoreRecord } from './messages.js';
import { epochKey, numberKey, TABLE, type Table } from './store-keys.js';

/** Epochs looked at per commit: twice what one commit adds, so that a backlog of old ones shrinks. */
const EPOCHS_PER_COMMIT = 4;

/**
 * Deletions for epochs above `swept` and up to `through`, a few at a time, oldest first. An epoch with
 * unacknowledged mail is passed over; a restart looks at it again. Log leaves are kept for ever.
 */
export function expiredRecords(
  reader: StoreReader,
  swept: number,
  through: number,
): { records: StoreRecord[]; swept: number } {
  const records: StoreRecord[] = [];
  if (through <= swept) return { records, swept };
  let looked = 0;
  let last = swept;
  for (const { key } of reader.range(
    numberKey(TABLE.attestations, swept + 1),
    numberKey(TABLE.attestations, through + 1),
  )) {
    if (looked++ === EPOCHS_PER_COMMIT) return { records, swept: last };
    last = getU64(key, 1);
    if (hasAny(reader, TABLE.bodies, last) || hasAny(reader, TABLE.references, last)) continue;
    records.push({ key: Uint8Array.from(key), value: null });
    for (const table of [TABLE.inboxRows, TABLE.senderRuns, TABLE.links]) {
      for (const { key } of keysOf(reader, table, last))
        records.push({ key: Uint8Array.from(key), value: null });
    }
  }
  return { records, swept: through };
}

function keysOf(reader: StoreReader, table: Table, epoch: number) {
  return reader.range(epochKey(table, epoch, 0), epochKey(table, epoch + 1, 0));
}

function hasAny(reader: StoreReader, table: Table, epoch: number): boolean {
  for (const _ of keysOf(reader, table, epoch)) return true;
  return false;
}
