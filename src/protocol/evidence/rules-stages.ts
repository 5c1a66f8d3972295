/**
 * Rules about one message on its way through the stages: inbox, router, receiver, outbox. Two neighbours that disagree
 * make the later one guilty, which named the earlier one's statement as what it was made of; two others the server.
 */
import { inputsHash, ROLE, type Role } from '../attestation.js';
import { compareWhole, equalBytes } from '../bytes.js';
import { claimIn } from '../claim.js';
import { placementOf } from '../placement.js';
import { type Actor, type Court, type InLog, must, type Said } from './court.js';
import { type EvidenceOf, isSameWitness, type Subject, type Witness } from './evidence.js';
import { type Guilt, guiltyActor, guiltyServer, nameOf, type Suspect } from './guilt.js';
import { byBuckets, placed, readMailboxLeaf } from './leaves.js';
import { type OpenedMessage, openMessage, recipientOf } from './message.js';
import { mustStay, versionsBetween } from './moves.js';
import { producersOf } from './rules-log.js';
import { shownAt } from './witness.js';

type Place = Pick<Subject, 'epoch' | 'inbox' | 'index'>;

/** Which output of a statement a mailbox is in. Throws `FormatError` when it is none of this actor's. */
function outputFor(court: Court, said: Said, mailbox: Uint8Array, { inbox }: Place): number {
  const { role, actor } = said.attestation;
  if (role === ROLE.inbox) {
    must(actor === inbox, 'another inbox');
    return 0;
  }
  byBuckets(said);
  const { outbox } = placed(said, court.serverId, mailbox);
  must(actor === (role === ROLE.router ? inbox : outbox), 'an actor that the message does not pass');
  return role === ROLE.router ? outbox : 0;
}

/** What a statement shows at a place for a mailbox: a message hash, or null that nothing is there. Else throws `FormatError`. */
function look(
  court: Court,
  said: Said,
  leaves: Witness['leaves'],
  mailbox: Uint8Array,
  place: Place,
): Uint8Array | null {
  const { role, outputs, epoch } = said.attestation;
  must(epoch === place.epoch, 'a statement about another epoch');
  const number = outputFor(court, said, mailbox, place);
  for (const leaf of leaves) court.open(said, number, leaf);
  const output = outputs[number];
  must(output !== undefined, 'no such output');
  // None of the leaves, as none opens in an empty output.
  return shownAt(role, output, output.leaves === 0 ? [] : leaves, mailbox, place);
}

// ---- who a message is for

/** The message with this hash, opened. */
function messageOf(court: Court, { message }: Subject, hash: Uint8Array): OpenedMessage {
  must(message[0] !== undefined, 'the message must be opened');
  const opened = openMessage(message[0], court.serverId);
  must(equalBytes(opened.hash, hash), 'another message');
  return opened;
}

function mustNotOpen({ message, recipients }: Subject): void {
  must(message.length + recipients.length === 0, 'parts that prove nothing');
}

/** The mailbox is its sender's, or a recipient's. Throws `FormatError`. */
function mustBeFor(court: Court, subject: Subject, hash: Uint8Array): void {
  const { mailbox, recipients } = subject;
  const message = messageOf(court, subject, hash);
  if (equalBytes(message.sender, mailbox)) return must(recipients.length === 0, 'parts that prove nothing');
  must(recipients.length === 1, 'one recipient');
  must(equalBytes(recipientOf(message, recipients[0]!), mailbox), 'the mailbox is not the recipient');
}

/** It is neither: it would stand between two recipients in a row, or before or behind them all. Throws `FormatError`. */
function mustNotBeFor(court: Court, subject: Subject, hash: Uint8Array): void {
  const { mailbox, recipients } = subject;
  const message = messageOf(court, subject, hash);
  must(!equalBytes(message.sender, mailbox), 'the mailbox is the sender');
  const orders = recipients.map((each) => compareWhole(recipientOf(message, each), mailbox));
  const [first, second] = recipients;
  must(first !== undefined, 'a recipient must be opened');
  if (second)
    return must(second.position === first.position + 1 && orders[0]! < 0 && orders[1]! > 0, 'no gap');
  const isEnd =
    orders[0]! < 0 ? first.position === message.recipients - 1 : orders[0]! > 0 && first.position === 0;
  must(isEnd, 'no end');
}

// ---- neighbours

/** The later statement was made of the earlier one. Throws `FormatError`. */
function mustConsume(later: Said, earlier: Said, inputs: readonly Uint8Array[]): void {
  const producers = producersOf(later.actor, later.manifest);
  const position = producers.findIndex(
    ({ role, index }) => role === earlier.actor.role && index === earlier.actor.index,
  );
  must(position >= 0 && inputs.length === producers.length, 'no neighbours');
  must(equalBytes(inputs[position]!, earlier.hash), 'the earlier statement is not among the inputs');
  must(equalBytes(inputsHash(inputs), later.attestation.inputs), 'other inputs than the statement names');
}

/** A stage that does not show what the stage before it shows, or shows what that does not. */
export function neighbours(court: Court, evidence: EvidenceOf<'neighbours'>): Guilt {
  const { mailbox, earlier: before, later: after } = evidence;
  const [earlier, later] = [court.hear(before), court.hear(after)];
  mustConsume(later, earlier, evidence.inputs);
  const [first, second] = [
    look(court, earlier, before.leaves, mailbox, evidence),
    look(court, later, after.leaves, mailbox, evidence),
  ];
  return guiltyActor(
    later.actor,
    `${disagreement(court, earlier, evidence, first, second)} ${nameOf(earlier.actor)}`,
  );
}

function disagreement(
  court: Court,
  { actor }: Said,
  subject: Subject,
  first: Uint8Array | null,
  second: Uint8Array | null,
): string {
  const isInbox = actor.role === ROLE.inbox;
  if (first && second) {
    if (!equalBytes(first, second)) {
      mustNotOpen(subject);
      return 'passed on another message than it was given by';
    }
    must(isInbox, 'they agree');
    mustNotBeFor(court, subject, first);
    return 'passed a message to a mailbox that it is not for, as it was given by';
  }
  if (first) {
    if (isInbox) mustBeFor(court, subject, first);
    else mustNotOpen(subject);
    return 'did not pass on a message that it was given by';
  }
  must(second !== null, 'they agree');
  mustNotOpen(subject);
  return 'passed on a message that it was not given by';
}

/** The consumer, an outbox whose statement is committed, was given a message by the earlier statement. Throws `FormatError`. */
export function mustBeGiven(
  court: Court,
  evidence: EvidenceOf<'laterLeaf'> | EvidenceOf<'lostInHandOver'>,
): { readonly outbox: Said & InLog; readonly producer: Actor } {
  const { mailbox, earlier: before, consumer, inputs } = evidence;
  mustNotOpen(evidence);
  const earlier = court.hear(before);
  const outbox = court.committed({ ...evidence, ...consumer });
  must(outbox.actor.role === ROLE.outbox, 'no outbox');
  mustConsume(outbox, earlier, inputs);
  must(look(court, earlier, before.leaves, mailbox, evidence) !== null, 'it was given nothing');
  return { outbox, producer: earlier.actor };
}

/** The outbox was given a message, and says with a later leaf that its epoch brought the mailbox nothing. */
export function laterLeaf(court: Court, evidence: EvidenceOf<'laterLeaf'>): Guilt {
  const { mailbox } = evidence;
  const { outbox, producer } = mustBeGiven(court, evidence);
  const later = claimIn(court, evidence.later);
  must(equalBytes(later.actor.key, outbox.actor.key), 'two outboxes');
  court.bridge(outbox, later, evidence.bridge);
  mustSkip(later.leaf, later.attestation.role, mailbox, evidence.epoch);
  mustStay(court, mailbox, 'outbox', versionsBetween(court, outbox, later));
  return guiltyActor(
    outbox.actor,
    `says that nothing came in epoch ${evidence.epoch}, in which it was given a message by ${nameOf(producer)}`,
  );
}

/** A leaf of the mailbox of a later epoch says that there was no link in this one. Throws `FormatError`. */
function mustSkip(bytes: Uint8Array, role: Role, mailbox: Uint8Array, epoch: number): void {
  must(role === ROLE.outbox, 'no outbox');
  const leaf = readMailboxLeaf(bytes);
  must(equalBytes(leaf.mailbox, mailbox), 'a leaf of another mailbox');
  must(leaf.epoch > epoch && leaf.lastEpoch < epoch, 'a leaf that does not pass over the epoch');
}

// ---- any two stages

/**
 * A message that one column shows and the other does not: it was lost, changed or made up somewhere between. Or one column
 * shows it, twice the same, for a mailbox that it is not for.
 */
export function stages(court: Court, evidence: EvidenceOf<'stages'>): Guilt {
  const { mailbox, other, earlier: before, later: after } = evidence;
  const [earlier, later] = [court.committed(before), court.committed(after)];
  court.bridge(earlier, later, evidence.bridge);
  const shown = look(court, earlier, before.leaves, other, evidence);
  must(shown !== null, 'it is not shown');
  // An inbox shows it for any mailbox: then there is no other one to name.
  must(earlier.actor.role !== ROLE.inbox || equalBytes(other, mailbox), 'parts that prove nothing');
  must(later.actor.role !== ROLE.inbox, 'an inbox is before all others');
  if (later.attestation.epoch === evidence.epoch) {
    const found = look(court, later, after.leaves, mailbox, evidence);
    if (found) {
      const isStray = equalBytes(found, shown);
      if (isStray) mustBeStray(court, evidence, shown);
      else mustNotOpen(evidence);
      const what = isStray
        ? 'passed a message to a mailbox that it is not for'
        : 'shows two messages at one place';
      return guiltyServer(suspects(court, earlier, later, evidence), what);
    }
  } else {
    must(
      outputFor(court, later, mailbox, evidence) === 0 && after.leaves.length === 1,
      'one leaf of the outbox',
    );
    court.open(later, 0, after.leaves[0]!);
    mustSkip(after.leaves[0]!.leaf, later.attestation.role, mailbox, evidence.epoch);
  }
  mustBeFor(court, evidence, shown);
  return guiltyServer(suspects(court, earlier, later, evidence), 'lost a message on its way to a mailbox');
}

/** One statement by itself shows a message for a mailbox that it is not for. Throws `FormatError`. */
function mustBeStray(court: Court, evidence: EvidenceOf<'stages'>, hash: Uint8Array): void {
  const { mailbox, other, earlier, later } = evidence;
  must(equalBytes(other, mailbox) && isSameWitness(earlier, later), 'they agree');
  mustNotBeFor(court, evidence, hash);
}

/**
 * All that signed between the inbox and what was shown, in both columns; and, where that is of a later epoch, all outboxes
 * that have had the mailbox since.
 */
function suspects(
  court: Court,
  earlier: Said,
  later: Said,
  { mailbox, other, inbox }: EvidenceOf<'stages'>,
): Suspect[] {
  // The earlier one is about the epoch of the message.
  const column = (id: Uint8Array, through: Role): Suspect[] => {
    const { outbox } = placed(earlier, court.serverId, id);
    const all: Suspect[] = [
      { role: ROLE.router, index: inbox },
      { role: ROLE.receiver, index: outbox },
      { role: ROLE.outbox, index: outbox },
    ];
    return all.filter(({ role }) => role <= through);
  };
  const since = versionsBetween(court, earlier, later).map((manifest): Suspect => {
    return { role: ROLE.outbox, index: placementOf(manifest, court.serverId, mailbox).outbox };
  });
  const all = [
    ...column(other, earlier.actor.role),
    ...column(mailbox, later.actor.role),
    ...(later.actor.role === ROLE.outbox ? since : []),
  ];
  return all.filter((each, i) => all.findIndex((one) => nameOf(one) === nameOf(each)) === i);
}
