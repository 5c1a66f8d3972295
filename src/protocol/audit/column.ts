/** What all stages between an inbox and a mailbox have signed of one place, opened. */
import { compareBytes, Writer } from '../bytes.js';
import { LINK_HEADER_BYTES, LINK_PREFIX } from '../chain.js';
import type { Recipient } from '../evidence/message.js';
import { PAGE_ENTRIES } from '../limits.js';
import { RECEIVER_PREFIX, ROUTER_PREFIX } from '../pages.js';
import type { Case } from './draft.js';
import { openEntry } from './entries.js';
import { ITEM_KEY_BYTES, type ItemList, itemPages, lowerBound } from './items.js';
import { isRecipient, type Known, recipientAt, recipientFrom } from './known-messages.js';
import { leavesOf } from './outbox.js';
import type { Prover } from './prover.js';
import type { EpochView, Lists } from './view.js';

/** `known`: the message that the inbox has there. */
export async function columnCase(
  prover: Prover,
  view: EpochView,
  lists: Lists,
  known: Known | null,
  mailbox: Uint8Array,
  inbox: number,
  index: number,
): Promise<Case> {
  const { kept, actors, world, manifest } = view;
  const { outbox } = world.placed(manifest, mailbox);
  const key = new Writer(ITEM_KEY_BYTES).bytes(mailbox).u16(inbox).u32(index).done();
  const pagesAround = (
    items: ItemList | null | undefined,
    position: number,
    output: number,
    prefix: Uint8Array,
  ) => {
    if (!items) return [];
    const page = Math.floor(lowerBound(items, key) / PAGE_ENTRIES);
    return prover.openSigned(kept, position, output, itemPages(items, prefix), [page - 1, page, page + 1]);
  };
  const leaves = leavesOf(kept, outbox);
  const leaf = leaves.findLastIndex((each) => compareBytes(leafKey(each), 0, key, 0, ITEM_KEY_BYTES) <= 0);
  const claims = [
    ...(await prover.statements(kept)),
    ...(await openEntry(prover, kept, inbox, index)),
    ...(await pagesAround(lists.routers[inbox]?.[outbox], actors.router(inbox), outbox, ROUTER_PREFIX)),
    ...(await pagesAround(lists.receivers[outbox], actors.receiver(outbox), 0, RECEIVER_PREFIX)),
    ...(await prover.openSigned(kept, actors.outbox(outbox), 0, leaves, [leaf - 1, leaf, leaf + 1])),
  ];
  const opened = known && { message: known.preimage, recipients: recipientsFor(known, mailbox) };
  return {
    claims,
    subject: { mailbox, epoch: kept.epoch, inbox, index, ...opened },
    messages: known ? [known.preimage] : [],
  };
}

/** What shows that a message is for a mailbox, or that it is not. */
function recipientsFor(known: Known, mailbox: Uint8Array): Recipient[] {
  if (known.isFrom(mailbox)) return [];
  const position = recipientFrom(known, mailbox);
  if (isRecipient(known, mailbox)) return [recipientAt(known, position)];
  return [position - 1, position]
    .filter((each) => each >= 0 && each < known.recipients)
    .map((each) => recipientAt(known, each));
}

/** What an outbox's leaf sorts by: its mailbox, and of a link's part its first entry. */
function leafKey(leaf: Uint8Array): Uint8Array {
  const key = new Uint8Array(ITEM_KEY_BYTES);
  key.set(leaf.subarray(LINK_PREFIX.length, LINK_PREFIX.length + 32));
  const isLink = leaf[LINK_PREFIX.length - 1] === LINK_PREFIX.at(-1);
  if (isLink) key.set(leaf.subarray(LINK_HEADER_BYTES, LINK_HEADER_BYTES + 6), 32);
  return key;
}
