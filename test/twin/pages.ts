/** The outputs of inbox, router and receiver: lists cut into pages of up to 64. */
import { ascii, fixed, join, mustRise, type Place, partsOf, u8, u16, u32, u64 } from './bytes.js';

export interface InboxEntry {
  messageHash: Buffer;
  submissionHash: Buffer;
  previousPlace: Place;
}

/** "This message, at this inbox and index, belongs into this mailbox." */
export interface MailboxItem {
  mailbox: Buffer;
  inbox: number;
  index: number;
  messageHash: Buffer;
}

/** place = epoch 8 ‖ inbox 2 ‖ index 4 */
export function placeBytes(place: Place): Buffer {
  return join(u64(place.epoch), u16(place.inbox), u32(place.index));
}

/** inbox entry = message hash 32 ‖ submission hash 32 ‖ previous place of this sender 14 */
function inboxEntry(entry: InboxEntry): Buffer {
  return join(fixed(32, entry.messageHash), fixed(32, entry.submissionHash), placeBytes(entry.previousPlace));
}

/** inbox page = 0x00 ‖ `csign1in` ‖ up to 64 inbox entries */
export function inboxPages(entries: InboxEntry[]): Buffer[] {
  return partsOf(64, entries).map((part) => join(u8(0x00), ascii('csign1in'), ...part.map(inboxEntry)));
}

/** item = mailbox 32 ‖ inbox 2 ‖ index 4 ‖ message hash 32 */
function mailboxItem(item: MailboxItem): Buffer {
  return join(fixed(32, item.mailbox), u16(item.inbox), u32(item.index), fixed(32, item.messageHash));
}

/** By mailbox, then inbox, then index. */
export function compareItems(a: MailboxItem, b: MailboxItem): number {
  return Buffer.compare(a.mailbox, b.mailbox) || a.inbox - b.inbox || a.index - b.index;
}

/** page = 0x00 ‖ tag ‖ up to 64 items, strictly rising by (mailbox, inbox, index) */
function itemPages(tag: string, items: MailboxItem[]): Buffer[] {
  mustRise('items', items, compareItems);
  return partsOf(64, items).map((part) => join(u8(0x00), ascii(tag), ...part.map(mailboxItem)));
}

/** router page = 0x00 ‖ `csign1ro` ‖ up to 64 items */
export function routerPages(items: MailboxItem[]): Buffer[] {
  return itemPages('csign1ro', items);
}

/** receiver page = 0x00 ‖ `csign1re` ‖ up to 64 items */
export function receiverPages(items: MailboxItem[]): Buffer[] {
  return itemPages('csign1re', items);
}
