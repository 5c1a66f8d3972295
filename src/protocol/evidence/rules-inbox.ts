/** Rules about what an inbox has put into its pages. */
import { checkKey, sha256, trustedPublicKey } from '#crypto';
import { ROLE } from '../attestation.js';
import { compareWhole, equalBytes, FormatError, HASH_BYTES, Reader, sameBytes, ZERO_HASH } from '../bytes.js';
import { type ClaimInLog, claimIn } from '../claim.js';
import { expectBytes } from '../expect-bytes.js';
import { PAGE_ENTRIES } from '../limits.js';
import { SUBMISSIONS } from '../manifest.js';
import { rootFromPath } from '../merkle.js';
import { SUBMISSION_DOMAIN, SUBMISSION_PREFIX, submissionHash } from '../pages.js';
import { comparePlaces, formatPlace, type Place } from '../place.js';
import type { ShownSubmission } from '../submission.js';
import { type Court, must, type Said } from './court.js';
import type { EvidenceOf } from './evidence.js';
import { type Guilt, guiltyActor } from './guilt.js';
import { byBuckets, type InboxRow, placed, readInboxPage } from './leaves.js';
import { type OpenedMessage, openMessage, recipientOf } from './message.js';
import { mustPlaceAlike, stays, versionsBetween } from './moves.js';

export function rowOf(leaf: Uint8Array, row: number): InboxRow {
  const found = readInboxPage(leaf)[row];
  must(found !== undefined, 'no such row');
  return found;
}

/** The message that a row names. */
export function named(row: InboxRow, preimage: Uint8Array, serverId: Uint8Array): OpenedMessage {
  const message = openMessage(preimage, serverId);
  must(equalBytes(message.hash, row.messageHash), 'another message than the row names');
  return message;
}

/** One row that no honest inbox lets in. Which lists are filled says what is held against it. */
export function inboxRow(court: Court, evidence: EvidenceOf<'inboxRow'>): Guilt {
  const { opened, recipients, submission } = evidence;
  const said = court.hear(opened);
  must(said.attestation.role === ROLE.inbox, 'no inbox');
  court.open(said, opened.output, opened);
  const row = rowOf(opened.leaf, evidence.row);
  const preimage = evidence.message[0];
  const message = preimage ? named(row, preimage, court.serverId) : null;
  if (submission[0]) {
    must(recipients.length === 0, 'parts that prove nothing');
    checkHash(row, submission[0]);
    const what = falseSubmission(court, row, message, submission[0]);
    return guiltyActor(said.actor, `took in a message with ${what}`);
  }
  if (!message) {
    must(recipients.length === 0, 'parts that prove nothing');
    const isMissing = equalBytes(row.submissionHash, ZERO_HASH);
    const isRequired = said.manifest.policy.submissions === SUBMISSIONS.required;
    must(isMissing && isRequired, 'a submission that is there, or is not required');
    return guiltyActor(said.actor, 'took in a message without the submission that the manifest requires');
  }
  if (recipients.length > 0) {
    const [first, second] = recipients;
    must(second !== undefined && second.position === first!.position + 1, 'two recipients in a row');
    const [a, b] = [recipientOf(message, first!), recipientOf(message, second)];
    must(compareWhole(a, b) >= 0, 'recipients that rise');
    return guiltyActor(said.actor, 'took in a message whose recipients do not rise');
  }
  byBuckets(said);
  return guiltyActor(said.actor, `took in ${falseMessage(court, said, row, message)}`);
}

function falseMessage(court: Court, said: Said, { previous }: InboxRow, message: OpenedMessage): string {
  const { sender, counter, recipients } = message;
  if (recipients === 0) return 'a message to nobody';
  if (!isKey(sender)) return 'a message of a sender that is no key';
  if (placed(said, court.serverId, sender).inbox !== said.actor.index)
    return 'a message of a sender that is placed at another inbox';
  if (counter === 0) return 'a message with counter 0';
  if ((counter === 1) !== (previous.epoch === 0))
    return `counter ${counter} behind place ${formatPlace(previous)}`;
  throw new FormatError('nothing is wrong with it');
}

function isKey(bytes: Uint8Array): boolean {
  try {
    return checkKey(bytes) === bytes;
  } catch {
    return false;
  }
}

/** A row behind a place at which its inbox has taken in nothing, by its one statement about that epoch. */
export function previousPlace(court: Court, { opened, row, statement }: EvidenceOf<'previousPlace'>): Guilt {
  const [said, before] = [court.hear(opened), court.hear(statement)];
  must(said.attestation.role === ROLE.inbox, 'no inbox');
  must(equalBytes(said.actor.key, before.actor.key), 'statements of two actors');
  court.open(said, opened.output, opened);
  const { previous } = rowOf(opened.leaf, row);
  const isThere = previous.inbox === said.actor.index && previous.epoch === before.attestation.epoch;
  must(isThere, 'a statement about another place');
  const { entries } = before.attestation.outputs[0] ?? { entries: 0 };
  must(previous.index >= entries, 'the previous place is there');
  // Whose row it is is not opened.
  mustPlaceAlike(versionsBetween(court, before, said));
  return guiltyActor(
    said.actor,
    `let a message follow ${formatPlace(previous)}, where it took in ${entries}`,
  );
}

// ---- submissions

export interface Submitted {
  readonly serverId: Uint8Array;
  readonly sender: Uint8Array;
  readonly firstCounter: number;
  readonly count: number;
  readonly root: Uint8Array;
}

export function readSubmission(signed: Uint8Array): Submitted {
  const from = new Reader(signed);
  expectBytes(from, SUBMISSION_DOMAIN, 'submission domain');
  const ids = { serverId: from.hash(), sender: from.hash() };
  const submitted = { ...ids, firstCounter: from.u64(), count: from.u16(), root: from.hash() };
  from.end();
  return submitted;
}

/** Throws where it is not the one that the row names. */
export function checkHash(row: InboxRow, { signed, signature }: ShownSubmission): void {
  must(
    equalBytes(submissionHash(signed, signature), row.submissionHash),
    'another submission than the row names',
  );
}

/** The message hash that a submission gives a counter. */
function hashAt(submitted: Submitted, counter: number, submission: ShownSubmission): Uint8Array {
  const position = counter - submitted.firstCounter;
  must(position >= 0 && position < submitted.count, 'a counter that the submission does not cover');
  const hashes = pageOf(submitted, Math.floor(position / PAGE_ENTRIES), submission);
  const at = (position % PAGE_ENTRIES) * HASH_BYTES;
  return hashes.subarray(at, at + HASH_BYTES);
}

/** The hashes of a page of a submission, packed. */
export function pageOf(
  { count, root }: Submitted,
  number: number,
  { page, pagePath }: ShownSubmission,
): Uint8Array {
  const from = new Reader(page);
  expectBytes(from, SUBMISSION_PREFIX, 'submission page');
  const hashes = from.bytes(page.length - from.at);
  const expected = Math.min(PAGE_ENTRIES, count - number * PAGE_ENTRIES);
  must(hashes.length === expected * HASH_BYTES, 'a submission page of another size');
  const pages = Math.ceil(count / PAGE_ENTRIES);
  must(
    equalBytes(rootFromPath(pages, number, sha256(page), pagePath), root),
    'a page is not in the submission',
  );
  return hashes;
}

/**
 * Throws when it is a good submission of the row's message. The page is there where it is the page that is wrong. Of a
 * message that is not given only what is wrong with any.
 */
function falseSubmission(
  court: Court,
  row: InboxRow,
  message: OpenedMessage | null,
  submission: ShownSubmission,
): string {
  const { signed, page, pagePath } = submission;
  if (page.length > 0) {
    const submitted = readSubmission(signed);
    const isOf = message
      ? equalBytes(hashAt(submitted, message.counter, submission), row.messageHash)
      : isInOnlyPage(submitted, row, submission);
    must(!isOf, 'nothing is wrong with it');
    return 'the submission of another message';
  }
  must(pagePath.length === 0, 'parts that prove nothing');
  let submitted: Submitted;
  try {
    submitted = readSubmission(signed);
  } catch {
    return 'a malformed submission';
  }
  const { serverId, sender, firstCounter, count } = submitted;
  if (!equalBytes(serverId, court.serverId)) return 'a submission to another server';
  if (message && !equalBytes(sender, message.sender)) return 'the submission of another sender';
  const isCovered = !message || (message.counter >= firstCounter && message.counter < firstCounter + count);
  if (!isCovered) return 'a submission of other counters';
  if (!isSigned(sender, submission)) return 'a submission that is not signed by its sender';
  throw new FormatError('nothing is wrong with it');
}

function isInOnlyPage(submitted: Submitted, { messageHash }: InboxRow, submission: ShownSubmission): boolean {
  must(submitted.count <= PAGE_ENTRIES, 'a submission of several pages');
  const hashes = pageOf(submitted, 0, submission);
  for (let at = 0; at < hashes.length; at += HASH_BYTES)
    if (sameBytes(hashes, at, messageHash, 0, HASH_BYTES)) return true;
  return false;
}

export function isSigned(sender: Uint8Array, { signed, signature }: ShownSubmission): boolean {
  return isKey(sender) && trustedPublicKey(sender).verify(signed, signature);
}

// ---- the order of one sender

interface Numbered {
  readonly said: ClaimInLog;
  readonly place: Place;
  readonly row: InboxRow;
  readonly message: OpenedMessage;
}

function numbered(court: Court, part: EvidenceOf<'senderOrder'>['earlier']): Numbered {
  const said = claimIn(court, part.claim);
  const { attestation, leaf, leafIndex } = said;
  const row = rowOf(leaf, part.row);
  const index = leafIndex * PAGE_ENTRIES + part.row;
  const place = { epoch: attestation.epoch, inbox: attestation.actor, index };
  return { said, place, row, message: named(row, part.message, court.serverId) };
}

/** Two rows of one inbox of which no honest one writes both. */
export function senderOrder(court: Court, evidence: EvidenceOf<'senderOrder'>): Guilt {
  const [a, b] = [numbered(court, evidence.earlier), numbered(court, evidence.later)];
  court.bridge(a.said, b.said, evidence.bridge);
  must(comparePlaces(a.place, b.place) < 0, 'two places, the earlier one first');
  must(equalBytes(a.said.actor.key, b.said.actor.key), 'rows of two actors');
  const fault = falseOrder(court, a, b);
  return guiltyActor(a.said.actor, fault);
}

function falseOrder(court: Court, a: Numbered, b: Numbered): string {
  const hasStayed = ({ message }: Numbered, since: Place) =>
    stays(court, message.sender, 'inbox', versionsBetween(court, a.said, b.said, since.epoch));
  const isSame = equalBytes(a.message.sender, b.message.sender);
  const places = `at ${formatPlace(a.place)} and ${formatPlace(b.place)}`;
  must(hasStayed(b, a.place), 'the later sender was moved meanwhile');
  if (isSame && a.message.counter === b.message.counter)
    return `numbered counter ${a.message.counter} of one sender twice, ${places}`;
  const { previous } = a.row;
  const isOne = previous.epoch > 0 && comparePlaces(previous, b.row.previous) === 0;
  if (isOne && [a, b].every((each) => hasStayed(each, previous)))
    return `named one previous place twice, ${places}`;
  must(comparePlaces(b.row.previous, a.place) === 0, 'nothing is wrong with them');
  if (!isSame) return `named the place of another sender as the previous one, ${places}`;
  must(b.message.counter !== a.message.counter + 1, 'nothing is wrong with them');
  return `let counter ${b.message.counter} follow ${a.message.counter}, ${places}`;
}
