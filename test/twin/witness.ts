/** "What a witness shows" for a mailbox and a place, and which statements are neighbours. */
import { INBOX, inputsHash, OUTBOX, ROUTER } from './attestation.js';
import type { Place } from './bytes.js';
import { type ChainLeaf, decodeChainLeaf, decodeInboxPage } from './decode.js';
import type { leaf, Parts, witness } from './evidence-form.js';
import {
  byBuckets,
  decoded,
  type Heard,
  hear,
  type Known,
  must,
  NothingProven,
  open,
} from './evidence-steps.js';
import { compareItems } from './pages.js';
import { producersOf } from './rules-log.js';
import { itemsOf } from './rules-statements.js';

type Leaf = Parts<typeof leaf>;

/** Hash of the message that is there; undefined = nothing is there. */
export interface Shown {
  heard: Heard;
  hash: Buffer | undefined;
}

/** A witness for a mailbox and a place: it shows something, or the step has failed. */
export function shown(known: Known, part: Parts<typeof witness>, mailbox: Buffer, place: Place): Shown {
  const heard = hear(known, part.statement);
  const { attestation } = heard;
  // the statement is about that epoch
  must(attestation.epoch === place.epoch, 'a statement about another epoch');
  // and is one that the message passes, and its leaves are opened in output 0, of a router in that of the
  // mailbox's outbox.
  const output = outputOnTheWay(known, heard, mailbox, place);
  for (const opened of part.leaves) open(heard, output, opened);
  const { leaves, entries } = attestation.outputs[output] ?? { leaves: -1, entries: 0 };
  must(leaves >= 0, 'no such output');
  if (attestation.role === INBOX) return { heard, hash: shownByInbox(entries, part.leaves, place) };
  return { heard, hash: shownByOther(attestation.role, leaves, part.leaves, mailbox, place) };
}

/** the place's inbox; that inbox's router; by buckets, the receiver and outbox where the mailbox is placed */
function outputOnTheWay(known: Known, heard: Heard, mailbox: Buffer, place: Place): number {
  const { role, actor } = heard.attestation;
  if (role === INBOX) {
    must(actor === place.inbox, 'not the inbox of the place');
    return 0;
  }
  const { outbox } = byBuckets(known, heard)(mailbox);
  if (role === ROUTER) must(actor === place.inbox, 'not the router of the inbox');
  else must(actor === outbox, 'the mailbox is placed elsewhere');
  return role === ROUTER ? outbox : 0;
}

/**
 * an inbox: with an index below its entries exactly the page of the index, and the row's hash is shown; else no
 * leaf, and nothing is there
 */
function shownByInbox(entries: number, leaves: Leaf[], place: Place): Buffer | undefined {
  if (place.index >= entries) {
    must(leaves.length === 0, 'a leaf where none is needed');
    return undefined;
  }
  must(leaves.length === 1, 'not exactly one page');
  must(leaves[0]!.index === Math.floor(place.index / 64), 'not the page of the index');
  const row = decoded('an inbox page', () => decodeInboxPage(leaves[0]!.preimage))[place.index % 64];
  must(row !== undefined, 'the page has no such row');
  return row.messageHash;
}

/** Where rows stand against the place: −1 before, 0 the row itself, 1 behind. A still of the mailbox is there too. */
interface Seen {
  orders: number[];
  hash: Buffer | undefined;
  leaf: ChainLeaf | undefined;
}

function see(role: number, preimage: Buffer, mailbox: Buffer, place: Place): Seen {
  if (role === OUTBOX) {
    const chainLeaf = decoded('a leaf', () => decodeChainLeaf(preimage));
    return seeChainLeaf(chainLeaf, mailbox, place);
  }
  const wanted = { mailbox, inbox: place.inbox, index: place.index, messageHash: mailbox };
  const rows = decoded('a page', () => itemsOf(role, preimage));
  const orders = rows.map((row) => Math.sign(compareItems(row, wanted)));
  return { orders, hash: rows[orders.indexOf(0)]?.messageHash, leaf: undefined };
}

function seeChainLeaf(leaf: ChainLeaf, mailbox: Buffer, place: Place): Seen {
  const byMailbox = Buffer.compare(leaf.mailbox, mailbox);
  if (byMailbox !== 0) return { orders: [byMailbox], hash: undefined, leaf };
  if (leaf.kind === 'still') return { orders: [], hash: undefined, leaf };
  const orders = leaf.entries.map((entry) =>
    Math.sign(entry.inbox - place.inbox || entry.index - place.index),
  );
  return { orders, hash: leaf.entries[orders.indexOf(0)]?.messageHash, leaf };
}

function shownByOther(
  role: number,
  leavesInOutput: number,
  leaves: Leaf[],
  mailbox: Buffer,
  place: Place,
): Buffer | undefined {
  // others, with no leaves in the output: none, and nothing is there;
  if (leavesInOutput === 0) {
    must(leaves.length === 0, 'a leaf where none is needed');
    return undefined;
  }
  const [first, second] = leaves.map((opened) => see(role, opened.preimage, mailbox, place));
  if (first === undefined) throw new NothingProven('no leaf is opened');
  if (second === undefined) {
    // one leaf that has the row (the entry of the mailbox's link) shows its hash.
    if (first.hash !== undefined) return first.hash;
    must(absentFromOne(first, leaves[0]!.index, leavesInOutput, mailbox), 'the leaf shows nothing');
    return undefined;
  }
  // two leaves, the second next to the first, show it if all in the first is before the place and all in the
  // second behind it, and neither shows it alone.
  must(leaves[1]!.index === leaves[0]!.index + 1, 'the leaves are not next to each other');
  const alone = leaves.map((opened, i) =>
    absentFromOne([first, second][i]!, opened.index, leavesInOutput, mailbox),
  );
  must(!alone.includes(true), 'one leaf is enough');
  must(allAre(first.orders, -1) && allAre(second.orders, 1), 'the place is not between the leaves');
  return undefined;
}

/** Something is there, and all of it is on that side. */
function allAre(orders: number[], side: number): boolean {
  return orders.length > 0 && orders.every((order) => order === side);
}

function absentFromOne({ orders, leaf }: Seen, index: number, leaves: number, mailbox: Buffer): boolean {
  const own = leaf?.mailbox.equals(mailbox) ? leaf : undefined;
  return (
    // One leaf shows that nothing is there if it has rows before and behind the place,
    (orders.includes(-1) && orders.includes(1)) ||
    // or a still of the mailbox,
    own?.kind === 'still' ||
    // or its link's last part with the place behind it, or its first part with the place before it;
    (own?.kind === 'link' && own.part === own.parts - 1 && allAre(orders, -1)) ||
    (own?.kind === 'link' && own.part === 0 && allAre(orders, 1)) ||
    // or if the leaf is the first of the output and all in it is behind the place, or the last and all before;
    (index === 0 && allAre(orders, 1)) ||
    (index === leaves - 1 && allAre(orders, -1))
  );
}

/**
 * The later statement's inputs are the hash of the list `inputs`, which has one hash for each producer of its
 * role, and at the earlier actor's position that of the earlier statement.
 */
export function mustBeNeighbours(earlier: Heard, later: Heard, inputs: Buffer[]): void {
  const { role, actor } = earlier.attestation;
  const producers = producersOf(later.manifest, later.attestation.role, later.attestation.actor);
  must(inputsHash(inputs).equals(later.attestation.inputs), 'the list is not that of the inputs');
  must(inputs.length === producers.length, 'another number of inputs');
  const position = producers.findIndex((producer) => producer.role === role && producer.index === actor);
  must(position >= 0, 'the earlier is none of the producers');
  must(inputs[position]!.equals(earlier.hash), 'the later consumed another statement');
}
