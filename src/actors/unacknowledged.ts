/**
 * Reference counts of an outbox's epochs: how many mailboxes have not acknowledged each. When nobody
 * needs an epoch's bodies any more they are deleted, together with the flush that makes the
 * acknowledgments durable, so that a restart never looks for bodies that are gone.
 *
 * Bodies of an epoch before the last move are shared: each outbox counts those of its mailboxes that need them. When its
 * count is durably gone it looks whether there is another; who finds none deletes them, with the next epoch.
 */
import { getU32, getU64, putU32, putU64 } from '../protocol/index.js';
import type { StoreReader, StoreRecord } from './messages.js';
import { deletions, hasAny } from './retention.js';
import { type StateCodec, StateTable } from './state-table.js';
import { epochKey, TABLE } from './store-keys.js';

interface References {
  /** Mailboxes that have not acknowledged the epoch. */
  mailboxes: number;
  /** Of these, who has only sent in it. */
  own: number;
  readonly bodyBytes: number;
}

/** mailboxes 4 ‖ own 4 ‖ bytes of bodies 8. */
const referencesCodec: StateCodec<References> = {
  encode({ mailboxes, own, bodyBytes }) {
    if (mailboxes === 0) return null;
    const bytes = new Uint8Array(16);
    putU32(bytes, 0, mailboxes);
    putU32(bytes, 4, own);
    putU64(bytes, 8, bodyBytes);
    return bytes;
  },
  decode: (bytes) => ({ mailboxes: getU32(bytes, 0), own: getU32(bytes, 4), bodyBytes: getU64(bytes, 8) }),
};

/** What a count is stored as. */
export function referencesRecord(epoch: number, outbox: number, references: References): StoreRecord {
  return { key: epochKey(TABLE.references, epoch, outbox), value: referencesCodec.encode(references) };
}

export class Unacknowledged {
  private readonly epochs: StateTable<number, References>;
  private freeable: number[] = [];
  freeableBytes = 0;
  /** Epochs whose bodies are shared, and whose count is being written off. */
  private leaving: number[] = [];
  private unneeded: number[] = [];

  /** `since`: bodies of epochs before this one are shared. */
  constructor(
    private readonly reader: StoreReader,
    private readonly outbox: number,
    private readonly since: number,
  ) {
    const keyOf = (epoch: number) => epochKey(TABLE.references, epoch, outbox);
    this.epochs = new StateTable(reader, keyOf, referencesCodec);
  }

  /** An epoch with links for so many mailboxes, some with their owners' own messages alone. */
  add(epoch: number, mailboxes: number, own: number, bodyBytes: number): void {
    if (mailboxes > 0) this.epochs.put(epoch, { mailboxes, own, bodyBytes });
  }

  /** One mailbox, which has only sent in the epoch or not, has acknowledged it. */
  release(epoch: number, isOwn: boolean): void {
    const references = this.epochs.get(epoch);
    if (!references || references.mailboxes === 0 || (isOwn && references.own === 0))
      throw new Error(`epoch ${epoch} was acknowledged more often than it has mailboxes`);
    references.mailboxes--;
    if (isOwn) references.own--;
    this.epochs.put(epoch, references);
    if (references.mailboxes > 0) return;
    this.freeableBytes += references.bodyBytes;
    this.freeable.push(epoch);
  }

  /** Whether somebody who has only sent in the epoch has not acknowledged it. */
  hasOwn(epoch: number): boolean {
    return (this.epochs.get(epoch)?.own ?? 0) > 0;
  }

  /** Records that bring the store up to these counts. Call `flushed` when they are durable. */
  flush(): StoreRecord[] {
    const records = this.epochs.flush();
    for (const epoch of this.freeable) {
      if (epoch >= this.since) records.push({ key: epochKey(TABLE.bodies, epoch, this.outbox), value: null });
      else this.leaving.push(epoch);
    }
    this.freeable = [];
    this.freeableBytes = 0;
    return records;
  }

  /** Deletes what was shared, and nobody needs any more. */
  shared(): StoreRecord[] {
    const records = this.unneeded.flatMap((epoch) => deletions(this.reader, TABLE.bodies, epoch));
    this.unneeded = [];
    return records;
  }

  flushed(): void {
    this.epochs.flushed();
    for (const epoch of this.leaving)
      if (!hasAny(this.reader, TABLE.references, epoch)) this.unneeded.push(epoch);
    this.leaving = [];
  }
}
