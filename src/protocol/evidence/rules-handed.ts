/**
 * Rules about hand-overs: where an id was moved, the old actor answers for what it has handed over, and the new one for what
 * it goes on with.
 */
import { sha256 } from '#crypto';
import { ROLE } from '../attestation.js';
import { compareWhole, equalBytes, FormatError } from '../bytes.js';
import { type ClaimInLog, claimIn } from '../claim.js';
import type { HandedSender } from '../hand-over.js';
import { PAGE_ENTRIES } from '../limits.js';
import { actorKey, type Manifest } from '../manifest.js';
import { inForceFrom } from '../manifest-chain.js';
import { EMPTY_ROOT } from '../merkle.js';
import { comparePlaces, formatPlace, type Place } from '../place.js';
import { type Court, must } from './court.js';
import type { EvidenceOf, ShownHandOver } from './evidence.js';
import { type Guilt, guiltyActor, nameOf } from './guilt.js';
import {
  type Handed,
  handed,
  isMoved,
  mailboxIn,
  mustBeBefore,
  mustBeByBuckets,
  mustHave,
  mustOpen,
  readHanded,
  SIDE,
  senderIn,
  type ToldMailbox,
} from './handed.js';
import { readMailboxLeaf } from './leaves.js';
import { before, faultBehind, type Stand, standOf } from './rules-chain.js';
import { named, rowOf } from './rules-inbox.js';
import { mustBeGiven } from './rules-stages.js';

const to = ({ role, to }: Handed) => nameOf({ role: role as 1 | 4, index: to });
const from = ({ role, from }: Handed) => nameOf({ role: role as 1 | 4, index: from });

/** Two hand-overs between the same two, at one log, by one key. */
export function twoHandOvers(court: Court, evidence: EvidenceOf<'twoHandOvers'>): Guilt {
  const { side, first, second } = evidence;
  const [a, b] = [handed(court, first, side), handed(court, second, side)];
  must(compareWhole(first.signed, second.signed) < 0, 'two hand-overs, the lower bytes first');
  const isOne =
    equalBytes(a.signer.key, b.signer.key) &&
    equalBytes(a.manifestHash, b.manifestHash) &&
    a.from === b.from &&
    a.to === b.to &&
    a.log.size === b.log.size &&
    equalBytes(a.log.root, b.log.root);
  must(isOne, 'hand-overs of two moves, or at two logs');
  return guiltyActor(
    a.signer,
    `signed two hand-overs from ${from(a)} to ${to(a)} for one version of the manifest`,
  );
}

/** A hand-over that neither of the two may sign. */
export function malformedHandOver(court: Court, evidence: EvidenceOf<'malformedHandOver'>): Guilt {
  const said = handed(court, evidence.handOver, evidence.side);
  mustBeByBuckets(said);
  mustOpen(said, evidence.handOver);
  return guiltyActor(said.signer, `signed a hand-over ${malformed(court, said, evidence.handOver)}`);
}

function malformed(court: Court, said: Handed, { leaves }: ShownHandOver): string {
  const [first, second] = leaves;
  if (!first) {
    if (said.from === said.to) return 'to itself';
    if (!isInUse(said.before, said, said.from) || !isInUse(said.next, said, said.to))
      return 'with an actor that there is not';
    if (said.leaves === 0 && !equalBytes(said.root, EMPTY_ROOT)) return 'without leaves, and with a root';
    const { size, root } = said.log;
    if ((size === 0) !== (said.lastEpoch === 0) || (size === 0 && !equalBytes(root, EMPTY_ROOT)))
      return `at a log of ${size} epochs that ends with ${said.lastEpoch}`;
    must(said.lastEpoch >= inForceFrom(said.next), 'nothing is wrong with it');
    return 'of an epoch of the version that it hands over to';
  }
  if (second) {
    must(second.leafIndex === first.leafIndex + 1, 'leaves that do not follow each other');
    const [a, b] = [readHanded(said, first.leaf), readHanded(said, second.leaf)];
    must(compareWhole(a.id, b.id) >= 0, 'leaves that rise');
    return 'whose leaves do not rise';
  }
  let leaf: ReturnType<typeof readHanded>;
  try {
    leaf = readHanded(said, first.leaf);
  } catch {
    return 'with what is no leaf';
  }
  if (!isMoved(court, said, leaf.id)) return 'with an id that does not go there';
  const [epoch, count] = 'total' in leaf ? [leaf.lastEpoch, leaf.total] : [leaf.place.epoch, leaf.counter];
  must(count === 0 || epoch === 0 || epoch > said.lastEpoch, 'nothing is wrong with it');
  return `of ${count} until epoch ${epoch}`;
}

function isInUse(manifest: Manifest, { role }: Handed, index: number): boolean {
  try {
    return actorKey(manifest, role as 1 | 4, index).length > 0;
  } catch {
    return false;
  }
}

/** The old one has handed over another thing than it has committed before. */
export function falseHandOver(court: Court, evidence: EvidenceOf<'falseHandOver'>): Guilt {
  const { id, handOver: shown } = evidence;
  const said = handed(court, shown, SIDE.from);
  const earlier = claimIn(court, evidence.earlier);
  must(equalBytes(earlier.actor.key, said.signer.key), 'of two actors');
  mustBeBefore(earlier, said, evidence.bridge);
  mustHave(court, said, id, said.next.version, said.next.version);
  mustHave(court, said, id, earlier.manifest.version, said.before.version);
  const fault =
    said.role === ROLE.outbox
      ? falseMailbox(earlier, evidence, mailboxIn(said, shown, id))
      : falseSender(court, earlier, evidence, senderIn(said, shown, id));
  return guiltyActor(said.signer, `handed over to ${to(said)} what contradicts what it has signed: ${fault}`);
}

type RowPart = Pick<EvidenceOf<'falseHandOver'>, 'row' | 'message'>;

function mustNameNoRow({ row, message }: RowPart): void {
  must(row === 0 && message.length === 0, 'parts that prove nothing');
}

/** A row of an inbox's page with its message, opened. */
function rowIn(court: Court, leaf: Uint8Array, { row, message }: RowPart) {
  must(message[0] !== undefined, 'the message must be opened');
  const found = rowOf(leaf, row);
  return { ...named(found, message[0], court.serverId), previous: found.previous };
}

function falseMailbox(
  { leaf }: ClaimInLog,
  evidence: EvidenceOf<'falseHandOver'>,
  told: ToldMailbox,
): string {
  mustNameNoRow(evidence);
  const read = readMailboxLeaf(leaf);
  must(equalBytes(read.mailbox, evidence.id), 'a leaf of another mailbox');
  return faultBehind(standOf(read, sha256(leaf)), told);
}

function falseSender(
  court: Court,
  { leaf, leafIndex, attestation }: ClaimInLog,
  evidence: EvidenceOf<'falseHandOver'>,
  told: HandedSender,
): string {
  const { sender, counter } = rowIn(court, leaf, evidence);
  const index = leafIndex * PAGE_ENTRIES + evidence.row;
  const place: Place = { epoch: attestation.epoch, inbox: attestation.actor, index };
  const order = comparePlaces(place, told.place);
  if (!equalBytes(sender, evidence.id)) {
    must(order === 0, 'nothing is wrong with it');
    return `the place of another sender, ${formatPlace(place)}`;
  }
  const isGood = counter < told.counter ? order < 0 : counter === told.counter && order === 0;
  must(!isGood, 'nothing is wrong with it');
  return `counter ${told.counter} at ${formatPlace(told.place)}, and ${counter} at ${formatPlace(place)}`;
}

/** The new one does not go on from what it has taken over. */
export function falseTakeOver(court: Court, evidence: EvidenceOf<'falseTakeOver'>): Guilt {
  const { handOver: shown, later: opened } = evidence;
  const said = handed(court, shown, SIDE.to);
  const later = court.hear(opened);
  must(equalBytes(later.actor.key, said.signer.key), 'of two actors');
  court.open(later, opened.output, opened);
  const goOn = (id: Uint8Array) => mustHave(court, said, id, said.next.version, later.manifest.version);
  if (said.role === ROLE.outbox) {
    mustNameNoRow(evidence);
    const leaf = readMailboxLeaf(opened.leaf);
    goOn(leaf.mailbox);
    const fault = faultBehind(standAt(said, mailboxIn(said, shown, leaf.mailbox)), before(leaf));
    return guiltyActor(said.signer, `does not go on from what ${from(said)} handed over to it: ${fault}`);
  }
  const { sender, counter, previous } = rowIn(court, opened.leaf, evidence);
  goOn(sender);
  const told = senderIn(said, shown, sender);
  const isGood =
    previous.epoch > said.lastEpoch
      ? counter > told.counter + 1
      : comparePlaces(previous, told.place) === 0 && counter === told.counter + 1;
  must(!isGood, 'nothing is wrong with it');
  const fault = `counter ${counter} behind ${formatPlace(previous)}, and ${told.counter} at ${formatPlace(told.place)}`;
  return guiltyActor(said.signer, `does not go on from what ${from(said)} handed over to it: ${fault}`);
}

/** Where a chain stood at a hand-over. */
function standAt({ lastEpoch: epoch }: Handed, { lastEpoch, total, head }: ToldMailbox): Stand {
  return { epoch, lastEpoch, least: total, most: total, head };
}

/** The old outbox was given a message, and hands over that its epoch brought the mailbox nothing. */
export function lostInHandOver(court: Court, evidence: EvidenceOf<'lostInHandOver'>): Guilt {
  const { mailbox, epoch, handOver: shown } = evidence;
  const { outbox, producer } = mustBeGiven(court, evidence);
  const said = handed(court, shown, SIDE.from);
  must(equalBytes(outbox.actor.key, said.signer.key), 'of two actors');
  mustBeBefore(outbox, said, evidence.bridge);
  mustHave(court, said, mailbox, said.next.version, said.next.version);
  mustHave(court, said, mailbox, outbox.manifest.version, said.before.version);
  must(mailboxIn(said, shown, mailbox).lastEpoch < epoch, 'nothing is wrong with it');
  const what = `handed over to ${to(said)} that nothing came in epoch ${epoch}`;
  return guiltyActor(said.signer, `${what}, in which it was given a message by ${nameOf(producer)}`);
}

/** It has taken over one thing, and handed over another. */
export function falseHandOn(court: Court, evidence: EvidenceOf<'falseHandOn'>): Guilt {
  const { id } = evidence;
  const [a, b] = [handed(court, evidence.earlier, SIDE.to), handed(court, evidence.later, SIDE.from)];
  must(equalBytes(a.signer.key, b.signer.key), 'of two actors');
  mustHave(court, a, id, a.next.version, b.before.version);
  mustHave(court, b, id, b.next.version, b.next.version);
  const fault = a.role === ROLE.outbox ? mailboxHandedOn(a, b, evidence) : senderHandedOn(a, b, evidence);
  return guiltyActor(
    a.signer,
    `handed over to ${to(b)} another thing than it was handed over by ${from(a)}: ${fault}`,
  );
}

function mailboxHandedOn(a: Handed, b: Handed, { id, earlier, later }: EvidenceOf<'falseHandOn'>): string {
  return faultBehind(standAt(a, mailboxIn(a, earlier, id)), mailboxIn(b, later, id));
}

function senderHandedOn(a: Handed, b: Handed, { id, earlier, later }: EvidenceOf<'falseHandOn'>): string {
  const [was, is] = [senderIn(a, earlier, id), senderIn(b, later, id)];
  const isGood =
    is.counter === was.counter
      ? comparePlaces(is.place, was.place) === 0
      : is.counter > was.counter && is.place.epoch > a.lastEpoch;
  if (isGood) throw new FormatError('nothing is wrong with it');
  return `counter ${is.counter} at ${formatPlace(is.place)}, and ${was.counter} at ${formatPlace(was.place)}`;
}
