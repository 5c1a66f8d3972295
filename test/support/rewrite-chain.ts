/** For outboxes that lie: where a mailbox's chain stands becomes something else in their memory. */
import type { KeptChain } from '../../src/actors/mailbox-state.js';
import type { MailboxTable } from '../../src/actors/mailbox-table.js';

export function rewriteChain(mailboxes: MailboxTable, id: string, change: Partial<KeptChain>): void {
  Object.assign(mailboxes.lendTo(id)!.chain, change);
  mailboxes.keep();
}
