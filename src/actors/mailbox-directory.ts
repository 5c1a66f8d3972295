/** Which mailboxes exist, as request handlers must know: what the store says, remembered for a while. */
import { idAt } from './ids.js';
import type { StoreReader } from './messages.js';
import { idKey, TABLE } from './store-keys.js';

/** Ids remembered: at most twice this many. */
const GENERATION = 50_000;

export class MailboxDirectory {
  private recent = new Set<string>();
  private older = new Set<string>();

  constructor(private readonly reader: StoreReader) {}

  /** Whether the id of 32 bytes at `at` has a mailbox. A mailbox once made is never unmade. */
  has(bytes: Uint8Array, at: number): boolean {
    const id = idAt(bytes, at);
    if (this.recent.has(id)) return true;
    if (
      !this.older.has(id) &&
      this.reader.get(idKey(TABLE.mailbox, bytes.subarray(at, at + 32))) === undefined
    )
      return false;
    if (this.recent.size >= GENERATION) {
      this.older = this.recent;
      this.recent = new Set();
    }
    this.recent.add(id);
    return true;
  }
}
