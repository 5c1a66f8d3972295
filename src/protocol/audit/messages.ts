/** Messages of an epoch: what inboxes took reaches the mailboxes that it is for, as it was, and nothing else does. */
import { equalBytes, getU16, getU32, sameBytes } from '../bytes.js';
import { INBOX_ROW_BYTES, ITEM_HASH_AT, ITEM_INBOX_AT, ITEM_INDEX_AT, rowAt } from '../pages.js';
import { formatPlace } from '../place.js';
import { columnCase } from './column.js';
import { short } from './findings.js';
import { type ItemList, itemAt } from './items.js';
import { isFor, type KnownMessages, mailboxCount, mailboxesOf } from './known-messages.js';
import type { EpochView, InboxRows, Lists } from './view.js';

/** Holds what each mailbox got against what inboxes took. */
export function auditMessages(view: EpochView, lists: Lists, known: KnownMessages): void {
  const columns = lists.inboxes.map((rows) => rows && new Column(rows.count));
  const { outboxes } = view.actors;
  for (let outbox = 0; outbox < outboxes; outbox++)
    for (const [inbox, rows] of lists.inboxes.entries()) {
      const items = lists.routers[inbox]![outbox] ?? lists.outboxes[outbox];
      if (rows && items) auditItems(view, lists, known, inbox, items, rows, columns[inbox]!);
    }
  for (const [inbox, rows] of lists.inboxes.entries()) {
    const isKnown = (mailbox: Uint8Array) => {
      const { outbox } = view.world.placed(view.manifest, mailbox);
      return Boolean(lists.routers[inbox]![outbox] ?? lists.outboxes[outbox]);
    };
    if (rows) auditColumn(view, lists, known, inbox, rows, columns[inbox]!, isKnown);
  }
}

/** Of each message of an inbox, what reached a mailbox. */
class Column {
  readonly items: Uint32Array;
  readonly reachedSender: Uint8Array;

  constructor(count: number) {
    this.items = new Uint32Array(count);
    this.reachedSender = new Uint8Array(count);
  }
}

function auditItems(
  view: EpochView,
  lists: Lists,
  known: KnownMessages,
  inbox: number,
  { count, pages }: ItemList,
  rows: InboxRows,
  column: Column,
): void {
  const { senders } = rows;
  for (let x = 0; x < count; x++) {
    const at = itemAt(x);
    if (getU16(pages, at + ITEM_INBOX_AT) !== inbox) continue;
    const index = getU32(pages, at + ITEM_INDEX_AT);
    const mailbox = pages.subarray(at, at + 32);
    if (index >= rows.count) {
      lost(view, lists, known, mailbox, inbox, index, 'got a message that its inbox did not take');
      continue;
    }
    if (!sameBytes(pages, at + ITEM_HASH_AT, rows.pages, rowAt(index, INBOX_ROW_BYTES), 32))
      lost(view, lists, known, mailbox, inbox, index, 'got another message than its inbox took');
    column.items[index]!++;
    const sender = senders?.sender(index);
    if (sender && equalBytes(sender, mailbox)) column.reachedSender[index] = 1;
    const message = known[inbox]!.get(index);
    if (message && !isFor(message, mailbox))
      lost(view, lists, known, mailbox, inbox, index, 'got a message that is not for it');
  }
}

function auditColumn(
  view: EpochView,
  lists: Lists,
  known: KnownMessages,
  inbox: number,
  { count, senders }: InboxRows,
  column: Column,
  isKnown: (mailbox: Uint8Array) => boolean,
): void {
  for (let index = 0; index < count; index++) {
    const sender = senders?.sender(index);
    if (sender && !column.reachedSender[index] && isKnown(sender))
      lost(view, lists, known, sender, inbox, index, 'did not get its own message');
    const message = known[inbox]!.get(index);
    if (!message) continue;
    if (column.items[index] === mailboxCount(message)) continue;
    const mailboxes = mailboxesOf(message);
    if (!mailboxes.every(isKnown)) continue;
    for (const mailbox of mailboxes)
      if (!hasItem(view, lists, mailbox, inbox, index))
        lost(view, lists, known, mailbox, inbox, index, 'did not get a message that is for it');
  }
}

function hasItem(
  { world, manifest }: EpochView,
  lists: Lists,
  mailbox: Uint8Array,
  inbox: number,
  index: number,
) {
  const { outbox } = world.placed(manifest, mailbox);
  const { count, pages } = (lists.routers[inbox]![outbox] ?? lists.outboxes[outbox])!;
  for (let x = 0; x < count; x++) {
    const at = itemAt(x);
    if (
      sameBytes(pages, at, mailbox, 0, 32) &&
      getU16(pages, at + ITEM_INBOX_AT) === inbox &&
      getU32(pages, at + ITEM_INDEX_AT) === index
    )
      return true;
  }
  return false;
}

/** What became of a message on its way to a mailbox. */
export function lost(
  view: EpochView,
  lists: Lists,
  known: KnownMessages,
  mailbox: Uint8Array,
  inbox: number,
  index: number,
  what: string,
): void {
  const { kept, report } = view;
  const place = formatPlace({ epoch: kept.epoch, inbox, index });
  const id = mailbox.slice();
  report({
    kind: 'message',
    who: `message ${what}`,
    text: `mailbox ${short(id)} ${what}: ${place}`,
    proof: (prover) => columnCase(prover, view, lists, known[inbox]?.get(index) ?? null, id, inbox, index),
  });
}
