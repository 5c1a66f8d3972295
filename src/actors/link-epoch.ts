/** The outbox's step: appends an epoch's items to the chains of their mailboxes, packed for store and deliveries. */
import {
  type ChainState,
  ITEM_INBOX_AT,
  ITEM_INDEX_AT,
  ITEM_ROW_BYTES,
  linkParts,
  type Output,
  rowAt,
  stillHash,
  treeRoot,
  viewOf,
} from '../protocol/index.js';
import { ActorFault } from './attest.js';
import { bundleBytes, counterOf } from './batch.js';
import { BodyPacker } from './body-packer.js';
import { Links, linksBytes, lowest, sameMailbox } from './epoch-file.js';
import { compareId, idBytes } from './ids.js';
import { hashLinks, treeOver } from './link-hashes.js';
import type { Weight } from './mailbox-state.js';
import type { MailboxTable } from './mailbox-table.js';
import type { Memory } from './memory.js';
import { type Items, type ReceiverItems, SENT_ONLY } from './messages.js';
import type { Quotas } from './quotas.js';
import type { SignedEpoch, Still } from './signed-epoch.js';

/** A mailbox's rows among the items: `count` from `first` on, the first of which lies at `at`. */
export interface MailboxRows {
  readonly at: number;
  readonly first: number;
  readonly count: number;
}

/** Runs of rows of one mailbox; items are sorted by mailbox. */
export function groupByMailbox({ pages, count }: Items): MailboxRows[] {
  const groups: MailboxRows[] = [];
  const view = viewOf(pages);
  for (let x = 0; x < count; ) {
    const at = rowAt(x, ITEM_ROW_BYTES);
    let end = x + 1;
    while (end < count && sameMailbox(view, at, rowAt(end, ITEM_ROW_BYTES))) end++;
    groups.push({ at, first: x, count: end - x });
    x = end;
  }
  return groups;
}

/** Of a chain after a link that brings so many bytes; 0 = the owner's own messages alone. */
function weightAfter({ links, own, bytes }: Weight, received: number): Weight {
  if (received === 0) return { links, own: (own + 1) >>> 0, bytes };
  return { links: (links + 1) >>> 0, own, bytes: bytes + received };
}

/**
 * Links every group to its mailbox's chain and puts the asked stills (sorted, of mailboxes without
 * items) in between, leaves in mailbox order. Moves the chains. Throws `ActorFault` on a mailbox that does not exist.
 */
export function linkEpoch(
  { context, items, batches }: ReceiverItems,
  groups: readonly MailboxRows[],
  asked: readonly string[],
  mailboxes: MailboxTable,
  memory: Memory,
  quotas: Quotas,
): { signed: SignedEpoch; output: Output } {
  const { epoch } = context;
  const leaves = groups.reduce((sum, { count }) => sum + linkParts(count), asked.length);
  const block = memory.take(linksBytes(groups.length, leaves, items.count));
  const links = Links.create(block, epoch, groups.length, leaves, items.count);
  const pages = viewOf(items.pages);
  const lentAt = new Uint32Array(groups.length);
  const bodies = new BodyPacker(memory, batches);
  const stills = new Map<string, Still>();
  let leaf = 0;
  let next = 0;
  /** Below the mailbox at `end`, or all that are left. */
  const putStills = (end: number | null) => {
    const isBelow = (id: string) => end === null || compareId(items.pages, end, id) > 0;
    for (; next < asked.length && isBelow(asked[next]!); next++, leaf++) {
      const id = asked[next]!;
      const { chain, acknowledged } = mailboxes.lendTo(id)!;
      mustLieBefore(epoch, chain);
      links.bytes.set(stillHash(idBytes(id), epoch, chain, acknowledged.lastEpoch), links.leafAt(leaf));
      stills.set(id, { position: leaf, trimmedThrough: acknowledged.lastEpoch });
    }
  };
  groups.forEach(({ at: row, first, count }, i) => {
    if (next < asked.length) putStills(row);
    const state = mailboxes.lend(items.pages, row);
    if (!state) throw new ActorFault('receiver: item for an unknown mailbox');
    mustLieBefore(epoch, state.chain);
    mailboxes.keep();
    lentAt[i] = mailboxes.lentAt;
    links.putHeader(i, pages, row, leaf, state.chain, first, count);
    let received = 0;
    for (let x = first; x < first + count; x++) {
      const at = rowAt(x, ITEM_ROW_BYTES);
      const inbox = pages.getUint16(at + ITEM_INBOX_AT);
      const index = pages.getUint32(at + ITEM_INDEX_AT);
      const batch = batches[inbox]!;
      const position = items.positions[x]!;
      const own = position === SENT_ONLY;
      if (!own) received += bundleBytes(batch, index);
      const detail = own ? counterOf(batch, index) : bodies.put(inbox, index);
      links.putRow(x, pages, at + ITEM_INBOX_AT, position, detail);
    }
    links.putWeight(i, weightAfter(state.chain, received));
    leaf += linkParts(count);
  });
  putStills(null);
  hashLinks(links);
  groups.forEach(({ at: row }, i) => {
    const state = mailboxes.lendAgain(lentAt[i]!);
    links.moveChain(i, state.chain);
    quotas.look(items.pages, row, state);
  });
  const tree = treeOver(links.leafHashes);
  const signed = { links, bodies: bodies.done(), stills, tree, blocks: [block, bodies.block] };
  return { signed, output: { entries: items.count, leaves, root: treeRoot(tree) } };
}

/** A state that another outbox has left, and that cannot be, must not be signed. */
function mustLieBefore(epoch: number, { lastEpoch }: ChainState): void {
  if (lastEpoch >= epoch) throw new Error(`a chain through epoch ${lastEpoch} before epoch ${epoch}`);
}

/** Of mailboxes that asked for a still, those without a link in this epoch; sorted. */
export function withoutLink(
  asked: ReadonlySet<string>,
  { pages }: Items,
  linked: readonly MailboxRows[],
): string[] {
  const hasLink = (mailbox: string) => {
    const i = lowest(0, linked.length, (k) => compareId(pages, linked[k]!.at, mailbox) >= 0);
    return i < linked.length && compareId(pages, linked[i]!.at, mailbox) === 0;
  };
  return [...asked].filter((mailbox) => !hasLink(mailbox)).sort();
}
