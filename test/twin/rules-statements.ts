/** Rules 1 to 7: what inboxes, routers, receivers and outboxes sign by themselves. */
import { type Attestation, INBOX, inputsHash, OUTBOX, ROUTER } from './attestation.js';
import { H, type Place } from './bytes.js';
import { type ChainLeaf, decodeChainLeaf, decodeInboxPage, decodeItemPage } from './decode.js';
import type { Parts, PartsOf, row } from './evidence-form.js';
import { readMessage } from './evidence-messages.js';
import {
  countInUse,
  decoded,
  EMPTY_ROOT,
  type Heard,
  hear,
  type Known,
  must,
  mustBridge,
  open,
  verifyClaim,
} from './evidence-steps.js';
import { sameRuns, stays, versionsBetween } from './moves.js';
import { compareItems, type InboxEntry, type MailboxItem } from './pages.js';

/** 1 two statements. */
export function twoStatements(known: Known, parts: PartsOf<1>): Heard {
  // Both are heard;
  const first = hear(known, parts.first);
  const second = hear(known, parts.second);
  // the signed bytes of the first sort below those of the second;
  must(Buffer.compare(parts.first.signed, parts.second.signed) < 0, 'the first is not below the second');
  // one key, one epoch.
  must(first.key.equals(second.key), 'two keys');
  must(first.attestation.epoch === second.attestation.epoch, 'two epochs');
  return first;
}

/** 2 malformed statement. */
export function malformedStatement(known: Known, parts: PartsOf<2>): Heard {
  const heard = hear(known, parts.statement);
  const { attestation, manifest } = heard;
  const { role, outputs } = attestation;
  const wanted = role === ROUTER ? countInUse(manifest, 3) : 1;
  const wrong =
    // not one output (of a router: not as many as the manifest has receivers in use);
    outputs.length !== wanted ||
    // or an inbox whose inputs are not those of nothing consumed;
    (role === INBOX && !attestation.inputs.equals(inputsHash([]))) ||
    outputs.some((output) =>
      output.leaves === 0
        ? // or an output without leaves that has entries or another root than H("");
          output.entries !== 0 || !output.root.equals(EMPTY_ROOT)
        : // or one with leaves whose number is not ⌈entries / 64⌉ (of an outbox: is less).
          role === OUTBOX
          ? output.leaves < Math.ceil(output.entries / 64)
          : output.leaves !== Math.ceil(output.entries / 64),
    );
  must(wrong, 'the statement is well formed');
  return heard;
}

export function itemsOf(role: number, preimage: Buffer): MailboxItem[] {
  return decodeItemPage(preimage, role === ROUTER ? 'csign1ro' : 'csign1re');
}

/** 4 unsorted leaves. */
export function unsortedLeaves(known: Known, parts: PartsOf<4>): Heard {
  // Heard; not of an inbox;
  const heard = hear(known, parts.statement);
  const { role } = heard.attestation;
  must(role !== INBOX, 'leaves of an inbox have no order');
  // the second leaf index is the first plus one; both are opened in the output.
  must(parts.second.index === parts.first.index + 1, 'the leaves are not next to each other');
  open(heard, parts.output, parts.first);
  open(heard, parts.output, parts.second);
  if (role === OUTBOX) must(unsortedChainLeaves(parts), 'the leaves are sorted');
  else must(unsortedPages(role, parts), 'the pages are sorted');
  return heard;
}

/** Pages: the last row of the first is not below the first row of the second. */
function unsortedPages(role: number, { first, second }: PartsOf<4>): boolean {
  const last = decoded('the first page', () => itemsOf(role, first.preimage)).at(-1)!;
  const next = decoded('the second page', () => itemsOf(role, second.preimage))[0]!;
  return compareItems(last, next) >= 0;
}

function unsortedChainLeaves({ first, second }: PartsOf<4>): boolean {
  const a = decoded('the first leaf', () => decodeChainLeaf(first.preimage));
  const b = decoded('the second leaf', () => decodeChainLeaf(second.preimage));
  const order = Buffer.compare(a.mailbox, b.mailbox);
  // the mailboxes fall;
  if (order > 0) return true;
  // or they rise, but the first is a part that is not the last, or the second one that is not part 0;
  if (order < 0) {
    return (a.kind === 'link' && a.part !== a.parts - 1) || (b.kind === 'link' && b.part !== 0);
  }
  // or they are equal, and it is not two parts of one link, the second the next part, with equal parts and
  // previous epoch, a total larger by its entries, and as previous head the hash of the first.
  const good =
    a.kind === 'link' &&
    b.kind === 'link' &&
    a.epoch === b.epoch &&
    b.part === a.part + 1 &&
    a.parts === b.parts &&
    a.previousEpoch === b.previousEpoch &&
    b.total === a.total + BigInt(b.entries.length) &&
    b.previousHead.equals(H(first.preimage));
  return !good;
}

interface Row {
  heard: Heard;
  place: Place;
  entry: InboxEntry;
  sender: Buffer;
  counter: bigint;
}

/** A claim of an inbox, whose page has the row, and a message whose hash is the row's. */
function readRow(known: Known, part: Parts<typeof row>): Row {
  const heard = verifyClaim(known, part.claim);
  const { role, actor, epoch }: Attestation = heard.attestation;
  must(role === INBOX, 'not of an inbox');
  const page = decoded('an inbox page', () => decodeInboxPage(part.claim.opened.preimage));
  const entry = page[part.row];
  must(entry !== undefined, 'the page has no such row');
  const message = readMessage(known, part.message);
  must(message.hash.equals(entry.messageHash), 'the message is not that of the row');
  const place = { epoch, inbox: actor, index: 64 * part.claim.opened.index + part.row };
  return { heard, place, entry, sender: message.sender, counter: message.counter };
}

/** 6 sender's order. */
export function sendersOrder(known: Known, parts: PartsOf<6>): Heard {
  const a = readRow(known, parts.earlier);
  const b = readRow(known, parts.later);
  // A bridge.
  mustBridge(known, parts.earlier.claim.committed.logged, parts.later.claim.committed.logged, parts.bridge);
  // One key; the first place lies before the second.
  must(a.heard.key.equals(b.heard.key), 'two keys');
  must(comparePlaces(a.place, b.place) < 0, 'the first place is not before the second');
  // The later sender stays between the two, since the earlier one's epoch.
  const since = (epoch: bigint) => versionsBetween(known, a.heard, b.heard, epoch);
  must(stays(known, 'inbox', b.sender, since(a.place.epoch)), 'the later sender was moved');
  const before = samePlaces(b.entry.previousPlace, a.place);
  const wrong =
    // one sender and one counter;
    (a.sender.equals(b.sender) && a.counter === b.counter) ||
    // or one previous place (epoch not 0);
    (samePlaces(a.entry.previousPlace, b.entry.previousPlace) &&
      a.entry.previousPlace.epoch !== 0n &&
      // since whose epoch both senders stay;
      [a, b].every(({ sender }) => stays(known, 'inbox', sender, since(a.entry.previousPlace.epoch)))) ||
    // or the later one's previous place is the earlier place, and the senders differ or the counter is not
    // the earlier one plus one.
    (before && (!a.sender.equals(b.sender) || b.counter !== a.counter + 1n));
  must(wrong, 'the rows agree');
  return a.heard;
}

export function comparePlaces(a: Place, b: Place): number {
  return Number(a.epoch - b.epoch) || a.inbox - b.inbox || a.index - b.index;
}

function samePlaces(a: Place, b: Place): boolean {
  return comparePlaces(a, b) === 0;
}

/** 20 previous place. */
export function previousPlace(known: Known, parts: PartsOf<20>): Heard {
  // Both are heard, of inboxes, by one key.
  const later = hear(known, parts.opened.statement);
  const earlier = hear(known, parts.statement);
  must(later.attestation.role === INBOX && later.key.equals(earlier.key), 'not two of one inbox');
  // Opened; the page has the row,
  open(later, parts.opened.output, parts.opened);
  const entry = decoded('an inbox page', () => decodeInboxPage(parts.opened.preimage))[parts.row];
  must(entry !== undefined, 'the page has no such row');
  // whose previous place is in this inbox, and in the epoch of the statement,
  const { epoch, inbox, index } = entry.previousPlace;
  must(inbox === later.attestation.actor && epoch === earlier.attestation.epoch, 'another place');
  // with an index not below its entries (0 where it has no output).
  must(index >= (earlier.attestation.outputs[0]?.entries ?? 0), 'the place is there');
  // The versions between the two have the same runs.
  must(sameRuns(versionsBetween(known, earlier, later)), 'buckets were moved');
  return later;
}

/** 7 mailbox leaves. */
export function mailboxLeaves(known: Known, parts: PartsOf<7>): Heard {
  // Two claims of one outbox key on link parts or stills of one mailbox, a bridge.
  const first = verifyClaim(known, parts.earlier);
  const second = verifyClaim(known, parts.later);
  must(first.attestation.role === OUTBOX && second.attestation.role === OUTBOX, 'not of an outbox');
  must(first.key.equals(second.key), 'two keys');
  const a = decoded('the earlier leaf', () => decodeChainLeaf(parts.earlier.opened.preimage));
  const b = decoded('the later leaf', () => decodeChainLeaf(parts.later.opened.preimage));
  must(a.mailbox.equals(b.mailbox), 'two mailboxes');
  // The mailbox stays between the two.
  must(stays(known, 'outbox', a.mailbox, versionsBetween(known, first, second)), 'the mailbox was moved');
  const { earlier, later, bridge } = parts;
  mustBridge(known, earlier.committed.logged, later.committed.logged, bridge);
  if (a.epoch === b.epoch) {
    // In one epoch: one attestation hash, the first leaf index below the second, and: …
    must(first.hash.equals(second.hash), 'two statements');
    must(earlier.opened.index < later.opened.index, 'the first leaf index is not below the second');
    must(disagreeInOneEpoch(a, H(earlier.opened.preimage), b), 'the leaves agree');
    return first;
  }
  // In two epochs, the earlier first.
  must(a.epoch < b.epoch, 'the earlier does not come first');
  must(disagreeInTwoEpochs(a, H(earlier.opened.preimage), b), 'the leaves agree');
  return first;
}

function disagreeInOneEpoch(a: ChainLeaf, hashOfA: Buffer, b: ChainLeaf): boolean {
  // one is a still;
  if (a.kind === 'still' || b.kind === 'still') return true;
  const between = BigInt(b.part - a.part - 1);
  return (
    // or the parts do not rise;
    a.part >= b.part ||
    // or number of parts or previous epoch differ;
    a.parts !== b.parts ||
    a.previousEpoch !== b.previousEpoch ||
    // or the later total is not the earlier one, plus 64 for each part between, plus its entries;
    b.total !== a.total + 64n * between + BigInt(b.entries.length) ||
    // or the parts follow each other and the previous head is not the hash of the first.
    (between === 0n && !b.previousHead.equals(hashOfA))
  );
}

interface Told {
  p: bigint;
  t: bigint;
  h: Buffer | undefined;
}

/** What a leaf says was before it: (p, t, h), h where it is known. */
export function before(leaf: ChainLeaf): Told {
  if (leaf.kind === 'still') return { p: leaf.lastEpoch, t: leaf.total, h: leaf.head };
  const through = BigInt(64 * leaf.part + leaf.entries.length);
  return {
    p: leaf.previousEpoch,
    t: leaf.total - through,
    h: leaf.part === 0 ? leaf.previousHead : undefined,
  };
}

function disagreeInTwoEpochs(a: ChainLeaf, hashOfA: Buffer, b: ChainLeaf): boolean {
  return disagreeBehind(standOf(a, hashOfA), before(b));
}

interface Stand {
  e: bigint;
  s: bigint;
  least: bigint;
  most: bigint;
  head: Buffer | undefined;
}

/**
 * e, s are the earlier leaf's epoch and the last epoch as of it (of a link part s = e), and k the parts behind it; the
 * chain then had from least to most entries. The head is known where k = 0.
 */
export function standOf(a: ChainLeaf, hashOfA: Buffer): Stand {
  const e = a.epoch;
  const s = a.kind === 'still' ? a.lastEpoch : e;
  const k = a.kind === 'still' ? 0 : a.parts - a.part - 1;
  const least = a.total + (k > 0 ? BigInt(64 * (k - 1) + 1) : 0n);
  const most = a.total + BigInt(64 * k);
  const head = a.kind === 'still' ? a.head : hashOfA;
  return { e, s, least, most, head: k === 0 ? head : undefined };
}

export function disagreeBehind({ e, s, least, most, head }: Stand, { p, t, h }: Told): boolean {
  return (
    p < s ||
    (p > e && t <= least) ||
    (s < p && p <= e) ||
    (p === s &&
      p <= e &&
      (t < least || t > most || (head !== undefined && h !== undefined && !h.equals(head))))
  );
}
