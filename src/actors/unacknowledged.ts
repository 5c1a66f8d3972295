/**
 * Reference counts of an outbox's epochs: how many mailboxes have not acknowledged each. When nobody
 * needs an epoch's bodies any more they are deleted, together with the flush that makes the
 * acknowledgments durable, so that a restart never looks for bodies that are gone.
 */
import { getU16, getU32, getU64, putU32 } from '../protocol/index.js';
import type { StoreReader, StoreRecord } from './messages.js';
import { epochKey, numberKey, TABLE } from './store-keys.js';

export class Unacknowledged {
  private readonly counts = new Map<number, number>();
  private readonly bytes = new Map<number, number>();
  private changed = new Set<number>();
  private freeable: number[] = [];
  freeableBytes = 0;

  constructor(
    reader: StoreReader,
    private readonly outbox: number,
  ) {
    for (const { key, value } of reader.range(
      numberKey(TABLE.references, 0),
      numberKey(TABLE.references, Number.MAX_SAFE_INTEGER),
    )) {
      if (getU16(key, 9) === outbox) this.counts.set(getU64(key, 1), getU32(value, 0));
    }
  }

  /** An epoch with links for so many mailboxes. */
  add(epoch: number, mailboxes: number, bodyBytes: number): void {
    if (mailboxes === 0) return;
    this.counts.set(epoch, mailboxes);
    this.bytes.set(epoch, bodyBytes);
    this.changed.add(epoch);
  }

  /** One mailbox has acknowledged the epoch. */
  release(epoch: number): void {
    const left = (this.counts.get(epoch) ?? 0) - 1;
    if (left < 0) throw new Error(`epoch ${epoch} was acknowledged more often than it has mailboxes`);
    this.changed.add(epoch);
    if (left > 0) {
      this.counts.set(epoch, left);
      return;
    }
    this.counts.delete(epoch);
    this.freeableBytes += this.bytes.get(epoch) ?? 0;
    this.bytes.delete(epoch);
    this.freeable.push(epoch);
  }

  /** Records that bring the store up to these counts. */
  flush(): StoreRecord[] {
    const records: StoreRecord[] = [];
    for (const epoch of this.changed) {
      const count = this.counts.get(epoch);
      if (count === undefined) continue;
      const value = new Uint8Array(4);
      putU32(value, 0, count);
      records.push({ key: epochKey(TABLE.references, epoch, this.outbox), value });
    }
    for (const epoch of this.freeable) {
      records.push({ key: epochKey(TABLE.bodies, epoch, this.outbox), value: null });
      records.push({ key: epochKey(TABLE.references, epoch, this.outbox), value: null });
    }
    this.changed = new Set();
    this.freeable = [];
    this.freeableBytes = 0;
    return records;
  }
}
