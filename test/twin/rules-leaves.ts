/** Rules 3 and 5: what one opened leaf of an actor is not allowed to be. */
import { INBOX, OUTBOX, ROUTER } from './attestation.js';
import { H, type Place, ZERO_32 } from './bytes.js';
import type { Link } from './chain.js';
import {
  type ChainLeaf,
  decodeChainLeaf,
  decodeInboxPage,
  decodeSubmission,
  decodeSubmissionPage,
} from './decode.js';
import { verifyByRule } from './ed25519.js';
import type { Parts, PartsOf, submission } from './evidence-form.js';
import { readMessage, readRecipient } from './evidence-messages.js';
import { byBuckets, decoded, type Heard, hearOpened, type Known, keyInUse, must } from './evidence-steps.js';
import { verifyInclusion } from './merkle.js';
import { compareItems, type InboxEntry, type MailboxItem } from './pages.js';
import { ifReadable } from './reader.js';
import { isGoodKey } from './rfc8032.js';
import { comparePlaces, itemsOf } from './rules-statements.js';
import { submissionHash } from './submission.js';

type Placement = (id: Buffer) => { inbox: number; outbox: number };
type Opened = PartsOf<3>['opened'];

/** 3 malformed leaf. */
export function malformedLeaf(known: Known, parts: PartsOf<3>): Heard {
  // Heard, by buckets, opened, and one of: …
  const heard = hearOpened(known, parts.opened);
  const placed = byBuckets(known, heard);
  const { role } = heard.attestation;
  const { preimage } = parts.opened;
  // it is no page of an inbox, router or receiver with 1 to 64 rows (by the role), no link part and no still
  if (role === INBOX) {
    const rows = ifReadable(() => decodeInboxPage(preimage));
    must(rows === undefined || malformedInboxPage(heard, parts.opened, rows), 'a good inbox page');
  } else if (role === OUTBOX) {
    const leaf = ifReadable(() => decodeChainLeaf(preimage));
    must(leaf === undefined || malformedChainLeaf(heard, parts.opened, leaf, placed), 'a good chain leaf');
  } else {
    const rows = ifReadable(() => itemsOf(role, preimage));
    must(rows === undefined || malformedItems(heard, parts.opened, rows, placed), 'a good page of items');
  }
  return heard;
}

/** a page has not min(64, entries − 64 × leaf index) rows */
function wrongNumberOfRows(heard: Heard, { output, index }: Opened, rows: unknown[]): boolean {
  return rows.length !== Math.min(64, heard.attestation.outputs[output]!.entries - 64 * index);
}

function malformedInboxPage(heard: Heard, opened: Opened, rows: InboxEntry[]): boolean {
  const { epoch, actor: inbox } = heard.attestation;
  return (
    wrongNumberOfRows(heard, opened, rows) ||
    rows.some((row, i) => badPrevious(row.previousPlace, { epoch, inbox, index: 64 * opened.index + i }))
  );
}

/**
 * previous place is not all zero, and does not lie before the row: in an earlier epoch that is not 0, or in
 * this one in this inbox at a lower index
 */
function badPrevious(previous: Place, own: Place): boolean {
  if (comparePlaces(previous, { epoch: 0n, inbox: 0, index: 0 }) === 0) return false;
  const inEarlierEpoch = previous.epoch !== 0n && previous.epoch < own.epoch;
  const inThisEpoch =
    previous.epoch !== 0n &&
    previous.epoch === own.epoch &&
    previous.inbox === own.inbox &&
    previous.index < own.index;
  return !inEarlierEpoch && !inThisEpoch;
}

function malformedItems(heard: Heard, opened: Opened, rows: MailboxItem[], placed: Placement): boolean {
  const { role, actor } = heard.attestation;
  const outbox = role === ROUTER ? opened.output : actor;
  return (
    wrongNumberOfRows(heard, opened, rows) ||
    // rows of a router or receiver page do not rise;
    rows.some((row, i) => i > 0 && compareItems(rows[i - 1]!, row) >= 0) ||
    // or are of an inbox that the manifest does not have in use, or, of a router, of another inbox than its own;
    rows.some((row) => keyInUse(heard.manifest, INBOX, row.inbox) === undefined) ||
    (role === ROUTER && rows.some((row) => row.inbox !== actor)) ||
    // or of a mailbox that is placed at another outbox than the router's output, or the receiver, is for
    rows.some((row) => placed(row.mailbox).outbox !== outbox)
  );
}

function malformedChainLeaf(heard: Heard, opened: Opened, leaf: ChainLeaf, placed: Placement): boolean {
  const { epoch, actor } = heard.attestation;
  const previous = leaf.kind === 'link' ? leaf.previousEpoch : leaf.lastEpoch;
  // a link part or still is of another epoch than the statement, its previous or last epoch is not below
  // that, or its mailbox is placed at another outbox;
  if (leaf.epoch !== epoch || previous >= epoch || placed(leaf.mailbox).outbox !== actor) return true;
  if (leaf.kind === 'link') return malformedPart(heard, opened, leaf);
  // a still is trimmed beyond its last epoch, or only one of last epoch and total is 0;
  return leaf.trimmedThrough > leaf.lastEpoch || (leaf.lastEpoch === 0n) !== (leaf.total === 0n);
}

function malformedPart(heard: Heard, { output, index }: Opened, link: Link): boolean {
  const { part, parts, entries, total, previousEpoch } = link;
  const { leaves } = heard.attestation.outputs[output]!;
  const isLast = part === parts - 1;
  const n = entries.length;
  const c = BigInt(64 * part + n);
  return (
    // a link part's number is not below the number of parts, or above its leaf index,
    part >= parts ||
    part > index ||
    // or more parts are to follow than leaves do;
    parts - part - 1 > leaves - index - 1 ||
    // it has not 64 entries (the last part: 1 to 64);
    (isLast ? n < 1 || n > 64 : n !== 64) ||
    // its entries do not rise by (inbox, index) or are of an inbox that is not in use;
    entries.some((entry, i) => i > 0 && !rises(entries[i - 1]!, entry)) ||
    entries.some((entry) => keyInUse(heard.manifest, INBOX, entry.inbox) === undefined) ||
    // or with c = 64 × part + n the total is not c where the previous epoch is 0, or not above c otherwise.
    (previousEpoch === 0n ? total !== c : total <= c)
  );
}

function rises(a: { inbox: number; index: number }, b: { inbox: number; index: number }): boolean {
  return a.inbox < b.inbox || (a.inbox === b.inbox && a.index < b.index);
}

/** 5 inbox row. */
export function inboxRow(known: Known, parts: PartsOf<5>): Heard {
  // Heard, an inbox, opened; the page has the row.
  const heard = hearOpened(known, parts.opened);
  must(heard.attestation.role === INBOX, 'not of an inbox');
  const page = decoded('an inbox page', () => decodeInboxPage(parts.opened.preimage));
  const row = page[parts.row];
  must(row !== undefined, 'the page has no such row');
  // Which lists are filled says what is held against it:
  const filled = [parts.messages, parts.recipients, parts.submissions].map((list) => list.length).join();
  if (filled === '0,0,0') {
    // none: the submission hash is zero and the manifest requires submissions;
    must(row.submissionHash.equals(ZERO_32), 'there is a submission');
    must(heard.manifest.submissions === 2, 'submissions are not required');
    return heard;
  }
  if (filled === '0,0,1') {
    must(badForAnyMessage(known, parts.submissions[0]!, row), 'nothing is wrong with the submission');
    return heard;
  }
  const holds = { '1,0,0': badMessage, '1,2,0': badRecipients, '1,0,1': badSubmission }[filled];
  must(holds !== undefined, 'the lists are filled in no such way');
  // a message: its hash is the row's;
  const message = readMessage(known, parts.messages[0]!);
  must(message.hash.equals(row.messageHash), 'the message is not that of the row');
  must(holds(known, parts, heard, row, message), 'nothing is wrong with the row');
  return heard;
}

type Held = (
  known: Known,
  parts: PartsOf<5>,
  heard: Heard,
  row: InboxEntry,
  message: ReturnType<typeof readMessage>,
) => boolean;

const badMessage: Held = (known, _parts, heard, row, message) => {
  // and, by buckets: no recipients; or the sender breaks the key rule, or is placed at another inbox;
  const placed = byBuckets(known, heard);
  return (
    message.recipients === 0 ||
    !isGoodKey(message.sender) ||
    placed(message.sender).inbox !== heard.attestation.actor ||
    // or the counter is 0; or the counter is 1 and there is a previous place (epoch not 0), or the counter is
    // higher and there is none;
    message.counter === 0n ||
    (message.counter === 1n && row.previousPlace.epoch !== 0n) ||
    (message.counter > 1n && row.previousPlace.epoch === 0n)
  );
};

/** a message and two recipients in consecutive positions: their mailboxes do not rise; */
const badRecipients: Held = (_known, parts, _heard, _row, message) => {
  const [a, b] = parts.recipients.map((recipient) => readRecipient(message, recipient));
  must(b!.position === a!.position + 1, 'the positions are not consecutive');
  return Buffer.compare(a!.mailbox, b!.mailbox) >= 0;
};

/** a message and a submission, whose hash is the row's. */
const badSubmission: Held = (known, parts, _heard, row, message) => {
  const part = parts.submissions[0]!;
  must(submissionHash(part.signed, part.signature).equals(row.submissionHash), 'another submission');
  const fields = ifReadable(() => decodeSubmission(part.signed));
  if (part.page.length === 0) {
    // With an empty page and path: it cannot be decoded; or is to another server, of another sender, or of
    // other counters; or its sender breaks the key rule or the signature does not verify.
    must(part.path.length === 0, 'a path without a page');
    return (
      fields === undefined ||
      !fields.serverId.equals(known.serverId) ||
      !fields.sender.equals(message.sender) ||
      !covers(fields, message.counter) ||
      !verifyByRule(fields.sender, part.signed, part.signature)
    );
  }
  // With a page: the submission covers the message's counter; the page is page ⌊position / 64⌋ of its size
  // (full, or the rest) and leads to the submission's root; and the hash there is not the message's.
  must(fields !== undefined, 'the submission cannot be decoded');
  return !submittedHash(part, fields, message.counter).equals(message.hash);
};

/** a submission alone, whose hash is the row's. */
function badForAnyMessage(known: Known, part: Parts<typeof submission>, row: InboxEntry): boolean {
  must(submissionHash(part.signed, part.signature).equals(row.submissionHash), 'another submission');
  const fields = ifReadable(() => decodeSubmission(part.signed));
  if (part.page.length === 0) {
    // With an empty page and path: it cannot be decoded; or is to another server; or its sender breaks the key rule or
    // the signature does not verify.
    must(part.path.length === 0, 'a path without a page');
    return (
      fields === undefined ||
      !fields.serverId.equals(known.serverId) ||
      !verifyByRule(fields.sender, part.signed, part.signature)
    );
  }
  // With a page: it is of 1 to 64 messages, the page is its only one, and the row's hash is not in it.
  must(fields !== undefined, 'the submission cannot be decoded');
  const hashes = decoded('a submission page', () => decodeSubmissionPage(part.page));
  must(fields.count === hashes.length && part.path.length === 0, 'it has other pages');
  must(H(part.page).equals(fields.root), 'the page is not that of the submission');
  return !hashes.some((hash) => hash.equals(row.messageHash));
}

type SubmissionFields = ReturnType<typeof decodeSubmission>;

function covers({ firstCounter, count }: SubmissionFields, counter: bigint): boolean {
  return firstCounter <= counter && counter < firstCounter + BigInt(count);
}

/** The hash that a submission has for a counter, by its page. */
function submittedHash(
  { page, path }: Parts<typeof submission>,
  fields: SubmissionFields,
  counter: bigint,
): Buffer {
  must(covers(fields, counter), 'the submission does not cover the counter');
  const position = Number(counter - fields.firstCounter);
  const number = Math.floor(position / 64);
  const hashes = decoded('a page of message hashes', () => decodeSubmissionPage(page));
  must(hashes.length === Math.min(64, fields.count - 64 * number), 'the page has another size');
  const pages = BigInt(Math.ceil(fields.count / 64));
  must(verifyInclusion(BigInt(number), pages, H(page), path, fields.root), 'the page leads elsewhere');
  return hashes[position % 64]!;
}
