/**
 * Opened leaves, read strictly: pages of inboxes, routers and receivers, parts of links, stills. What an actor's own
 * statement and its manifest say about a leaf must hold in it, or its signer is at fault whatever it was given.
 */
import { ROLE } from '../attestation.js';
import { compareBytes, equalBytes, Reader } from '../bytes.js';
import { LINK_PREFIX, STILL_PREFIX } from '../chain.js';
import { expectBytes } from '../expect-bytes.js';
import { PAGE_ENTRIES } from '../limits.js';
import { EMPTY_ROOT } from '../merkle.js';
import { INBOX_PREFIX, RECEIVER_PREFIX, ROUTER_PREFIX } from '../pages.js';
import type { Place } from '../place.js';
import { type PlacedAt, placementOf } from '../placement.js';
import { must, type Said } from './court.js';

/** An inbox's row. */
export interface InboxRow {
  readonly messageHash: Uint8Array;
  readonly submissionHash: Uint8Array;
  readonly previous: Place;
}

/** What stands at a place for a mailbox: a router's or receiver's row, or an entry of a link. */
export interface Item {
  readonly inbox: number;
  readonly index: number;
  readonly messageHash: Uint8Array;
}

export interface ItemRow extends Item {
  readonly mailbox: Uint8Array;
}

interface MailboxLeaf {
  readonly mailbox: Uint8Array;
  readonly epoch: number;
  /** Of the link before, or the last one. */
  readonly lastEpoch: number;
  /** Entries of the chain through this leaf. */
  readonly total: number;
  /** Head before a link's part; the chain's head in a still. */
  readonly head: Uint8Array;
}

export interface LinkPart extends MailboxLeaf {
  readonly kind: 'link';
  readonly part: number;
  readonly parts: number;
  readonly entries: readonly Item[];
}

export interface StillLeaf extends MailboxLeaf {
  readonly kind: 'still';
  readonly trimmedThrough: number;
}

const readPlace = (from: Reader): Place => ({ epoch: from.u64(), inbox: from.u16(), index: from.u32() });
const readItem = (from: Reader): Item => ({
  inbox: from.u16(),
  index: from.u32(),
  messageHash: from.hash(),
});

function rows<T>(leaf: Uint8Array, prefix: Uint8Array, read: (from: Reader) => T): T[] {
  const from = new Reader(leaf);
  expectBytes(from, prefix, 'prefix');
  const all: T[] = [];
  while (from.at < from.limit) all.push(read(from));
  must(all.length > 0 && all.length <= PAGE_ENTRIES, `a page of ${all.length} rows`);
  return all;
}

/** Throws `FormatError` on what is no inbox page. */
export function readInboxPage(leaf: Uint8Array): InboxRow[] {
  return rows(leaf, INBOX_PREFIX, (from) => ({
    messageHash: from.hash(),
    submissionHash: from.hash(),
    previous: readPlace(from),
  }));
}

/** Throws `FormatError` on what is no page of this role (router or receiver). */
export function readItemPage(leaf: Uint8Array, role: number): ItemRow[] {
  const prefix = role === ROLE.router ? ROUTER_PREFIX : RECEIVER_PREFIX;
  return rows(leaf, prefix, (from) => ({ mailbox: from.hash(), ...readItem(from) }));
}

/** Throws `FormatError` on what is neither a link's part nor a still. */
export function readMailboxLeaf(leaf: Uint8Array): LinkPart | StillLeaf {
  const from = new Reader(leaf);
  const isLink = leaf[LINK_PREFIX.length - 1] === LINK_PREFIX.at(-1);
  expectBytes(from, isLink ? LINK_PREFIX : STILL_PREFIX, 'prefix');
  const id = { mailbox: from.hash(), epoch: from.u64() };
  if (!isLink) {
    const state = { lastEpoch: from.u64(), total: from.u64(), head: from.hash() };
    const still = { kind: 'still', ...id, ...state, trimmedThrough: from.u64() } as const;
    from.end();
    return still;
  }
  const numbers = { part: from.u16(), parts: from.u16() };
  const state = { lastEpoch: from.u64(), total: from.u64(), head: from.hash() };
  const entries = Array.from({ length: from.u16() }, () => readItem(from));
  from.end();
  return { kind: 'link', ...id, ...numbers, ...state, entries };
}

/** Whether two ids, and what follows them in the order of a list, rise. */
export function compareItems(a: ItemRow, b: ItemRow): number {
  return compareBytes(a.mailbox, 0, b.mailbox, 0, 32) || comparePosition(a, b);
}

export function comparePosition(a: Pick<Item, 'inbox' | 'index'>, b: Pick<Item, 'inbox' | 'index'>): number {
  return a.inbox - b.inbox || a.index - b.index;
}

/** Throws `FormatError` saying what a statement's leaf cannot be, whatever its signer was given. */
export function checkLeaf(
  said: Said,
  serverId: Uint8Array,
  output: number,
  leafIndex: number,
  leaf: Uint8Array,
) {
  const { role } = said.attestation;
  if (role === ROLE.outbox) return checkMailboxLeaf(said, serverId, output, leafIndex, readMailboxLeaf(leaf));
  const count =
    role === ROLE.inbox
      ? checkInboxPage(said, readInboxPage(leaf), leafIndex)
      : checkItemPage(said, serverId, output, readItemPage(leaf, role));
  const { entries } = said.attestation.outputs[output]!;
  const expected = Math.min(PAGE_ENTRIES, entries - leafIndex * PAGE_ENTRIES);
  must(count === expected, `page ${leafIndex} of ${entries} entries has ${count}`);
}

/** A message's previous place lies before its own. */
function checkInboxPage({ attestation }: Said, page: readonly InboxRow[], leafIndex: number): number {
  page.forEach(({ previous }, i) => {
    const index = leafIndex * PAGE_ENTRIES + i;
    const isNone = previous.epoch === 0 && previous.inbox === 0 && previous.index === 0;
    const isInEpoch = previous.epoch === attestation.epoch;
    const isBefore = isInEpoch
      ? previous.inbox === attestation.actor && previous.index < index
      : previous.epoch > 0 && previous.epoch < attestation.epoch;
    must(isNone || isBefore, `row ${index}: its previous place does not lie before it`);
  });
  return page.length;
}

function checkItemPage(said: Said, serverId: Uint8Array, output: number, page: readonly ItemRow[]): number {
  const { role, actor } = said.attestation;
  const outbox = role === ROLE.router ? output : actor;
  page.forEach((row, i) => {
    must(i === 0 || compareItems(page[i - 1]!, row) < 0, 'rows do not rise');
    must(isInbox(said, row.inbox) && (role !== ROLE.router || row.inbox === actor), 'a row of another inbox');
    must(
      placed(said, serverId, row.mailbox).outbox === outbox,
      'a row of a mailbox that is placed elsewhere',
    );
  });
  return page.length;
}

function checkMailboxLeaf(
  said: Said,
  serverId: Uint8Array,
  output: number,
  leafIndex: number,
  leaf: LinkPart | StillLeaf,
): void {
  const { epoch, actor } = said.attestation;
  must(leaf.epoch === epoch, 'a leaf of another epoch');
  must(leaf.lastEpoch < epoch, 'the link before does not lie before it');
  must(placed(said, serverId, leaf.mailbox).outbox === actor, 'a mailbox that is placed elsewhere');
  if (leaf.kind === 'still') {
    must(leaf.trimmedThrough <= leaf.lastEpoch, 'trimmed beyond its last link');
    must(leaf.lastEpoch > 0 === leaf.total > 0, 'a total that does not fit');
    return;
  }
  const { part, parts, entries, total } = leaf;
  must(part < parts && part <= leafIndex, 'a part without those before it');
  const left = said.attestation.outputs[output]!.leaves - leafIndex;
  must(parts - part <= left, 'a part without those behind it');
  const isFull = entries.length === PAGE_ENTRIES;
  must(
    entries.length > 0 && entries.length <= PAGE_ENTRIES && (isFull || part === parts - 1),
    'parts not full',
  );
  entries.forEach((entry, i) => {
    must(i === 0 || comparePosition(entries[i - 1]!, entry) < 0, 'entries do not rise');
    must(isInbox(said, entry.inbox), 'an entry of an inbox that there is not');
  });
  const own = part * PAGE_ENTRIES + entries.length;
  // Each link before it has an entry at least.
  must(leaf.lastEpoch === 0 ? total === own : total > own, 'a total that does not fit');
}

function isInbox({ manifest }: Said, inbox: number): boolean {
  return (
    inbox < manifest.actors.filter(({ role, lastEpoch }) => role === ROLE.inbox && lastEpoch === 0).length
  );
}

/** Where an id is placed by the manifest that a statement names, by its bucket. See `byBuckets`. */
export function placed({ manifest }: Said, serverId: Uint8Array, id: Uint8Array): PlacedAt {
  return placementOf(manifest, serverId, id);
}

/** Placement has no exceptions in this statement: with some, what is here does not say who belongs where. */
export function byBuckets({ attestation }: Said): void {
  must(
    equalBytes(attestation.placementRoot, EMPTY_ROOT),
    'placement has exceptions, which are not opened here',
  );
}
