/**
 * Quotas: which mailboxes of an outbox are full, as request handlers must know before anything is ordered.
 *
 * 1. A mailbox takes no more of others' messages once so many links with something received, or so many bytes,
 *    are unacknowledged.
 * 2. Its owner's own messages make links too. Those that nothing received stands before are let go after the
 *    retention (acknowledgments.ts); only what cannot go counts, so their quota is larger by the retention.
 * 3. Who is full is written with the flush that writes the mailbox, and found again without a look at the others. A move
 *    writes down who may be.
 */

import { idAt } from './ids.js';
import { type MailboxState, unacknowledged } from './mailbox-state.js';
import { FULL, type MailboxesFull, type StoreReader, type StoreRecord } from './messages.js';
import { fullKey } from './store-keys.js';

export interface QuotaLimits {
  readonly unacknowledgedEpochs: number;
  readonly unacknowledgedBytes: number;
}

export class Quotas {
  private readonly full = new Map<string, number>();
  private untold = new Set<string>();
  private unwritten = new Set<string>();

  constructor(
    private readonly limits: QuotaLimits,
    private readonly retentionEpochs: number,
    private readonly outbox: number,
  ) {}

  /** Those that were full at the last flush. */
  static written(reader: StoreReader, outbox: number): string[] {
    return [...reader.keys(fullKey(outbox), fullKey(outbox + 1))].map((key) => idAt(key, 3));
  }

  /** The state of the mailbox whose id lies at `at` has changed. */
  look(ids: Uint8Array, at: number, state: MailboxState): void {
    const full = this.fullness(state);
    if (full === 0 && this.full.size === 0) return;
    this.found(idAt(ids, at), full);
  }

  private fullness(state: MailboxState): number {
    const { unacknowledgedEpochs, unacknowledgedBytes } = this.limits;
    const { links, own, bytes } = unacknowledged(state);
    const received = links >= unacknowledgedEpochs || bytes >= unacknowledgedBytes ? FULL.received : 0;
    return received | (own >= unacknowledgedEpochs + this.retentionEpochs ? FULL.own : 0);
  }

  private found(mailbox: string, full: number): void {
    if (full === (this.full.get(mailbox) ?? 0)) return;
    if (full === 0) this.full.delete(mailbox);
    else this.full.set(mailbox, full);
    this.untold.add(mailbox);
    this.unwritten.add(mailbox);
  }

  /** One that is written down as full, and may not be. */
  recall(mailbox: string, state: MailboxState): void {
    this.found(mailbox, this.fullness(state));
    if (!this.full.has(mailbox)) this.unwritten.add(mailbox);
  }

  /** What request handlers have not been told; null when they know. */
  tell(): MailboxesFull | null {
    if (this.untold.size === 0) return null;
    const changes = [...this.untold].map((mailbox) => ({ mailbox, full: this.full.get(mailbox) ?? 0 }));
    this.untold = new Set();
    return { type: 'mailboxes-full', changes };
  }

  /** To be written with the mailboxes' states. */
  flush(): StoreRecord[] {
    const records = [...this.unwritten].map((mailbox) => ({
      key: fullKey(this.outbox, mailbox),
      value: this.full.has(mailbox) ? Uint8Array.of(1) : null,
    }));
    this.unwritten = new Set();
    return records;
  }
}
