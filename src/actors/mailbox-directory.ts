/**
 * What request handlers must know of mailboxes: which exist, as the store says, remembered for a while; and
 * which are full, as the outboxes say.
 */
import { IdTable } from './id-table.js';
import { idAt } from './ids.js';
import { FULL, type MailboxesFull, type StoreReader } from './messages.js';
import { idKey, TABLE } from './store-keys.js';

/** Ids remembered: at most twice this many. */
const GENERATION = 131_072;

export class MailboxDirectory {
  private recent = new IdTable();
  private older = new IdTable();
  private readonly full = new Map<string, number>();

  constructor(private readonly reader: StoreReader) {}

  /** Whether the id of 32 bytes at `at` has a mailbox. A mailbox once made is never unmade. */
  has(bytes: Uint8Array, at: number): boolean {
    if (this.recent.find(bytes, at) >= 0) return true;
    if (
      this.older.find(bytes, at) < 0 &&
      this.reader.get(idKey(TABLE.mailbox, bytes.subarray(at, at + 32))) === undefined
    )
      return false;
    if (this.recent.size >= GENERATION) {
      this.older = this.recent;
      this.recent = new IdTable();
    }
    this.recent.add(bytes, at);
    return true;
  }

  /** Whether the mailbox takes no more of what others send. */
  isFull(bytes: Uint8Array, at: number): boolean {
    return this.full.size > 0 && ((this.full.get(idAt(bytes, at)) ?? 0) & FULL.received) !== 0;
  }

  /** Whether the owner may send no more before it acknowledges. */
  mustNotSend(bytes: Uint8Array, at: number): boolean {
    return this.full.size > 0 && ((this.full.get(idAt(bytes, at)) ?? 0) & FULL.own) !== 0;
  }

  changed({ changes }: MailboxesFull): void {
    for (const { mailbox, full } of changes) {
      if (full === 0) this.full.delete(mailbox);
      else this.full.set(mailbox, full);
    }
  }
}
