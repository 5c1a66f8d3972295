/** What an outbox knows again after a restart: states as of the last flush, and the links since then. */
import { getU16, getU64 } from '../protocol/index.js';
import { Links } from './epoch-file.js';
import type { MailboxTable } from './mailbox-table.js';
import type { StoreReader } from './messages.js';
import { Quotas } from './quotas.js';
import { epochKey, TABLE } from './store-keys.js';
import type { Unacknowledged } from './unacknowledged.js';

/** Applies the links of epochs above the last flush, whose epoch it returns; and finds who is full. */
export function recoverMailboxes(
  { reader, lastEpoch, index }: { reader: StoreReader; lastEpoch: number; index: number },
  mailboxes: MailboxTable,
  unacknowledged: Unacknowledged,
  quotas: Quotas,
  flushMark: Uint8Array,
): number {
  const mark = reader.get(flushMark);
  const flushed = mark ? getU64(mark, 0) : 0;
  const range = reader.range(epochKey(TABLE.links, flushed + 1, 0), epochKey(TABLE.links, lastEpoch + 1, 0));
  for (const { key, value } of range) {
    if (getU16(key, 9) !== index) continue;
    const links = Links.read(value);
    for (let i = 0; i < links.mailboxes; i++) {
      const at = links.headerAt(i);
      const state = mailboxes.lend(links.bytes, at);
      if (!state)
        throw new Error(
          `mailbox ${Buffer.from(links.mailboxBytes(i)).toString('hex')} has a link and no state`,
        );
      links.moveChain(i, state.chain);
      mailboxes.keep();
      quotas.look(links.bytes, at, state);
    }
    unacknowledged.add(links.epoch, links.mailboxes, links.ownLinks, 0);
  }
  for (const id of Quotas.written(reader, index)) quotas.recall(id, mailboxes.lendTo(id)!);
  return flushed;
}
