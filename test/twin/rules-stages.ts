/** Rules 16 to 19: stages that disagree about a message. */
import { isDeepStrictEqual } from 'node:util';
import { INBOX, OUTBOX, RECEIVER, ROUTER } from './attestation.js';
import type { Place } from './bytes.js';
import { decodeChainLeaf } from './decode.js';
import type { Parts, PartsOf, subject, witness } from './evidence-form.js';
import { readMessage, readRecipient } from './evidence-messages.js';
import {
  byBuckets,
  commit,
  decoded,
  type Heard,
  hear,
  type Known,
  must,
  mustBridge,
  open,
  verifyClaim,
} from './evidence-steps.js';
import { hadBy, stays, versionsBetween } from './moves.js';
import { placementOf } from './placement.js';
import { mustBeNeighbours, type Shown, shown } from './witness.js';

type Subject = Parts<typeof subject>;

export interface Suspect {
  role: number;
  index: number;
}

/** without message and recipients */
function mustBeBare({ messages, recipients }: Subject): void {
  must(messages.length === 0 && recipients.length === 0, 'a message or recipient that is not needed');
}

/** 16 neighbours. */
export function neighbours(known: Known, parts: PartsOf<16>): Heard {
  const { mailbox, place } = parts.subject;
  // Both are heard, and neighbours. Both are witnesses for the mailbox and place.
  const earlier = shown(known, parts.earlier, mailbox, place);
  const later = shown(known, parts.later, mailbox, place);
  mustBeNeighbours(earlier.heard, later.heard, parts.inputs);
  mustDiffer(known, parts.subject, earlier, later.hash);
  return later.heard;
}

function mustDiffer(known: Known, about: Subject, earlier: Shown, later: Buffer | undefined): void {
  const isInbox = earlier.heard.attestation.role === INBOX;
  must(earlier.hash !== undefined || later !== undefined, 'both show nothing');
  if (earlier.hash === undefined) {
    // the earlier shows nothing, the later a message: without both;
    mustBeBare(about);
  } else if (later === undefined) {
    // the earlier shows one, the later nothing. If the earlier is an inbox, the message is given, and the
    // mailbox is its sender (without recipients) or that of the one recipient given; else without both;
    if (isInbox) mustBeIntended(known, about, earlier.hash);
    else mustBeBare(about);
  } else if (!earlier.hash.equals(later)) {
    // both show a message, another one: without message and recipients;
    mustBeBare(about);
  } else {
    // both show the same one, and the earlier is an inbox: …
    must(isInbox, 'both show the same');
    mustBeForeign(known, about, earlier.hash);
  }
}

function theMessage(known: Known, { messages }: Subject, hash: Buffer) {
  must(messages.length === 1, 'the message is not given');
  const message = readMessage(known, messages[0]!);
  must(message.hash.equals(hash), 'another message is given');
  return message;
}

/** the message is given, and the mailbox is its sender (without recipients), or else that of the one recipient given */
function mustBeIntended(known: Known, about: Subject, hash: Buffer): void {
  const message = theMessage(known, about, hash);
  if (message.sender.equals(about.mailbox)) {
    must(about.recipients.length === 0, 'a recipient that is not needed');
    return;
  }
  must(about.recipients.length === 1, 'not one recipient');
  const { mailbox } = readRecipient(message, about.recipients[0]!);
  must(mailbox.equals(about.mailbox), 'the mailbox is not the recipient');
}

/**
 * the message is given, the mailbox is not its sender, and two recipients at consecutive positions have it between
 * them, or one does: the first, above it, or the last, below it.
 */
function mustBeForeign(known: Known, about: Subject, hash: Buffer): void {
  const message = theMessage(known, about, hash);
  must(!message.sender.equals(about.mailbox), 'the mailbox is the sender');
  const [a, b] = about.recipients.map((part) => readRecipient(message, part));
  must(a !== undefined, 'no recipient is given');
  const order = Buffer.compare(a.mailbox, about.mailbox);
  if (b === undefined) {
    const first = a.position === 0 && order > 0;
    const last = a.position === message.recipients - 1 && order < 0;
    must(first || last, 'the recipient does not show it');
    return;
  }
  must(b.position === a.position + 1, 'the recipients are not consecutive');
  must(order < 0 && Buffer.compare(about.mailbox, b.mailbox) < 0, 'the mailbox is not between the two');
}

/** The consumer of rules 17 and 26, to which the earlier statement shows a message. */
export function mustBeGiven(known: Known, parts: PartsOf<17> | PartsOf<26>): Heard {
  const { mailbox, place } = parts.subject;
  // Without message and recipients.
  mustBeBare(parts.subject);
  // The earlier statement is heard, the consumer committed, an outbox, and they are neighbours.
  const earlier = shown(known, parts.earlier, mailbox, place);
  const consumer = hear(known, parts.consumer);
  commit(known, consumer, parts.committed);
  must(consumer.attestation.role === OUTBOX, 'the consumer is no outbox');
  mustBeNeighbours(earlier.heard, consumer, parts.inputs);
  // The earlier shows a message.
  must(earlier.hash !== undefined, 'the earlier shows nothing');
  return consumer;
}

/** 17 later leaf. */
export function laterLeaf(known: Known, parts: PartsOf<17>): Heard {
  const { mailbox, place } = parts.subject;
  const consumer = mustBeGiven(known, parts);
  // The later claim is of the same key, bridged to the consumer's checkpoint,
  const later = verifyClaim(known, parts.later);
  must(later.key.equals(consumer.key), 'two keys');
  const { committed } = parts.later;
  mustBridge(known, parts.committed.logged, committed.logged, parts.bridge);
  mustSkip(parts.later.opened.preimage, mailbox, place);
  // The mailbox stays between the consumer and the later claim.
  must(stays(known, 'outbox', mailbox, versionsBetween(known, consumer, later)), 'the mailbox was moved');
  return consumer;
}

/** on a leaf of the mailbox with a higher epoch and a previous or last epoch below the place's. */
function mustSkip(preimage: Buffer, mailbox: Buffer, place: Place): void {
  const leaf = decoded('the later leaf', () => decodeChainLeaf(preimage));
  must(leaf.mailbox.equals(mailbox), 'the leaf is of another mailbox');
  must(leaf.epoch > place.epoch, 'the leaf has no higher epoch');
  const before = leaf.kind === 'link' ? leaf.previousEpoch : leaf.lastEpoch;
  must(before < place.epoch, 'the leaf does not skip the epoch');
}

/** 18 stages. */
export function stages(known: Known, parts: PartsOf<18>): Suspect[] {
  const { mailbox, place } = parts.subject;
  // The earlier is a witness for the other mailbox (an inbox for any: it is the mailbox again) and shows a message.
  const earlier = shown(known, parts.earlier.witness, parts.otherMailbox, place);
  must(earlier.hash !== undefined, 'the earlier shows nothing');
  const any = earlier.heard.attestation.role === INBOX;
  must(!any || parts.otherMailbox.equals(mailbox), 'another mailbox that nothing needs');
  const later = shownLater(known, parts.later.witness, mailbox, place);
  // Both are committed, and bridged.
  commit(known, earlier.heard, parts.earlier.committed);
  commit(known, later.heard, parts.later.committed);
  const { earlier: a, later: b } = parts;
  mustBridge(known, a.committed.logged, b.committed.logged, parts.bridge);
  if (later.hash === undefined) {
    // If it shows nothing: the mailbox is the sender or the recipient, as in rule 16.
    mustBeIntended(known, parts.subject, earlier.hash);
  } else if (later.hash.equals(earlier.hash)) {
    // If it shows the same message: the other mailbox is the mailbox, earlier and later are the same bytes,
    must(parts.otherMailbox.equals(mailbox), 'both show the same');
    must(isDeepStrictEqual(parts.earlier, parts.later), 'one message is shown by two');
    // and the mailbox is neither its sender nor a recipient, as in rule 16.
    mustBeForeign(known, parts.subject, earlier.hash);
  } else {
    // If it shows another message: without message and recipients.
    mustBeBare(parts.subject);
  }
  // Suspected are the router, receiver and outbox of both columns, placed by the earlier statement's manifest, as far as
  // the roles shown; and, where the later is an outbox, those that the versions between place the mailbox at.
  const since =
    later.heard.attestation.role === OUTBOX
      ? hadBy(known, 'outbox', mailbox, versionsBetween(known, earlier.heard, later.heard))
      : [];
  return [
    ...column(known, earlier.heard, earlier.heard, parts.otherMailbox, place),
    ...column(known, earlier.heard, later.heard, mailbox, place),
    ...since.map((index) => ({ role: OUTBOX, index })),
  ];
}

/**
 * The later is no inbox and either a witness of the same epoch for the mailbox, or of another one: an outbox that the
 * mailbox is placed at, with one leaf as in rule 17.
 */
function shownLater(known: Known, part: Parts<typeof witness>, mailbox: Buffer, place: Place): Shown {
  const heard = hear(known, part.statement);
  const { role, epoch, actor } = heard.attestation;
  must(role !== INBOX, 'the later is an inbox');
  if (epoch === place.epoch) return shown(known, part, mailbox, place);
  must(role === OUTBOX, 'the later is no outbox');
  must(byBuckets(known, heard)(mailbox).outbox === actor, 'the mailbox is placed elsewhere');
  must(part.leaves.length === 1, 'not one leaf');
  open(heard, 0, part.leaves[0]!);
  mustSkip(part.leaves[0]!.preimage, mailbox, place);
  return { heard, hash: undefined };
}

function column(known: Known, then: Heard, shown: Heard, mailbox: Buffer, place: Place): Suspect[] {
  const { role } = shown.attestation;
  if (role === INBOX) return [];
  const { outbox } = placementOf(known.serverId, then.manifest.runs, [], mailbox);
  const all = [
    { role: ROUTER, index: place.inbox },
    { role: RECEIVER, index: outbox },
    { role: OUTBOX, index: outbox },
  ];
  return all.filter((suspect) => suspect.role <= role);
}
