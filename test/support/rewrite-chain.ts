/** For outboxes that lie: where a mailbox's chain stands becomes something else in their memory. */
import { type KeptChain, moveTo } from '../../src/actors/mailbox-state.js';
import type { MailboxTable } from '../../src/actors/mailbox-table.js';

export function rewriteChain(mailboxes: MailboxTable, id: string, change: Partial<KeptChain>): void {
  const { chain } = mailboxes.lendTo(id)!;
  moveTo(chain, { ...chain, ...change });
  mailboxes.keep();
}
