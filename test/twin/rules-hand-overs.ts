/** Rules 22 to 27: what was handed over when ids were moved. */
import { INBOX } from './attestation.js';
import { H, type Place } from './bytes.js';
import type { ChainLeaf } from './decode.js';
import { decodeChainLeaf, decodeInboxPage } from './decode.js';
import type { PartsOf } from './evidence-form.js';
import { readMessage } from './evidence-messages.js';
import {
  decoded,
  EMPTY_ROOT,
  hear,
  type Known,
  keyInUse,
  must,
  open,
  verifyClaim,
} from './evidence-steps.js';
import {
  decodeHandedLeaf,
  goesThere,
  type Handed,
  mustBeBefore,
  mustBeByBuckets,
  mustHaveMoved,
  openLeaves,
  readHandOver,
  shownMailbox,
  shownSender,
} from './hand-over.js';
import { firstEpochOf } from './moves.js';
import { ifReadable } from './reader.js';
import { mustBeGiven } from './rules-stages.js';
import { before, comparePlaces, disagreeBehind, standOf } from './rules-statements.js';

/** 22 two hand-overs. */
export function twoHandOvers(known: Known, parts: PartsOf<22>): Handed {
  const first = readHandOver(known, parts.first, parts.side);
  const second = readHandOver(known, parts.second, parts.side);
  must(Buffer.compare(parts.first.signed, parts.second.signed) < 0, 'the first is not below the second');
  // one signer, and one manifest hash, from, to, log size and log root
  must(first.key.equals(second.key), 'two signers');
  must(first.manifestHash.equals(second.manifestHash), 'two versions');
  must(first.from === second.from && first.to === second.to, 'between others');
  must(first.log.size === second.log.size && first.log.root.equals(second.log.root), 'two logs');
  return first;
}

/** 23 malformed hand-over. */
export function malformedHandOver(known: Known, { side, shown }: PartsOf<23>): Handed {
  const handed = readHandOver(known, shown, side);
  mustBeByBuckets(handed);
  openLeaves(handed, shown);
  const { role, from, to } = handed;
  const leaves = shown.leaves.map(({ preimage }) => ifReadable(() => decodeHandedLeaf(role, preimage)));
  if (leaves.length === 0) {
    const wrong =
      from === to ||
      keyInUse(handed.before, role, from) === undefined ||
      keyInUse(handed.next, role, to) === undefined ||
      (handed.leaves === 0 && !handed.root.equals(EMPTY_ROOT)) ||
      (handed.log.size === 0n) !== (handed.lastEpoch === 0n) ||
      (handed.log.size === 0n && !handed.log.root.equals(EMPTY_ROOT)) ||
      handed.lastEpoch >= firstEpochOf(handed.next);
    must(wrong, 'nothing is wrong with it');
  } else if (leaves.length === 1) {
    const [leaf] = leaves;
    must(leaf === undefined || isWrong(known, handed, leaf), 'nothing is wrong with the leaf');
  } else {
    const [first, second] = leaves;
    must(shown.leaves[1]!.index === shown.leaves[0]!.index + 1, 'the leaves are not next to each other');
    must(first !== undefined && second !== undefined, 'a leaf cannot be decoded');
    must(Buffer.compare(first.id, second.id) >= 0, 'the ids rise');
  }
  return handed;
}

function isWrong(known: Known, handed: Handed, leaf: ReturnType<typeof decodeHandedLeaf>): boolean {
  // the version before does not place its id at from, or the next one not at to;
  if (!goesThere(known, handed, leaf.id)) return true;
  // or its total (counter) is 0; or its last epoch (its place's epoch) is 0 or above the hand-over's.
  const count = leaf.kind === 'mailbox' ? leaf.total : leaf.counter;
  const epoch = leaf.kind === 'mailbox' ? leaf.lastEpoch : leaf.place.epoch;
  return count === 0n || epoch === 0n || epoch > handed.lastEpoch;
}

/** The message is that of the row of the page. */
function rowOf(known: Known, preimage: Buffer, { row, messages }: { row: number; messages: Buffer[] }) {
  const entry = decoded('an inbox page', () => decodeInboxPage(preimage))[row];
  must(entry !== undefined, 'the page has no such row');
  must(messages.length === 1, 'the message is not given');
  const message = readMessage(known, messages[0]!);
  must(message.hash.equals(entry.messageHash), 'the message is not that of the row');
  return { ...message, previous: entry.previousPlace };
}

/** The row is 0, without a message; a link part or still. */
function leafOf(preimage: Buffer, { row, messages }: { row: number; messages: Buffer[] }): ChainLeaf {
  must(row === 0 && messages.length === 0, 'a row or message that is not needed');
  return decoded('a leaf', () => decodeChainLeaf(preimage));
}

/** 24 false hand-over. */
export function falseHandOver(known: Known, parts: PartsOf<24>): Handed {
  const { id, shown } = parts;
  const handed = readHandOver(known, shown, 0);
  const claim = verifyClaim(known, parts.earlier);
  must(claim.key.equals(handed.key), 'of another actor');
  mustBeBefore(known, handed, parts.earlier.committed, parts.bridge);
  mustHaveMoved(known, handed, id, claim.manifest, handed.before);
  const { preimage, index } = parts.earlier.opened;
  if (handed.role !== INBOX) {
    const leaf = leafOf(preimage, parts);
    must(leaf.mailbox.equals(id), 'of another mailbox');
    must(disagreeBehind(standOf(leaf, H(preimage)), shownMailbox(handed, shown, id)), 'they agree');
    return handed;
  }
  const message = rowOf(known, preimage, parts);
  const told = shownSender(handed, shown, id);
  const { epoch, actor: inbox } = claim.attestation;
  const order = comparePlaces({ epoch, inbox, index: 64 * index + parts.row }, told.place);
  const wrong = message.sender.equals(id)
    ? // its counter is above the one shown; or is that one, and the places differ; or is below, and its place is not before
      message.counter > told.counter ||
      (message.counter === told.counter && order !== 0) ||
      (message.counter < told.counter && order >= 0)
    : order === 0;
  must(wrong, 'they agree');
  return handed;
}

/** The hand-over as an earlier leaf: a still of its last epoch. */
function still({ lastEpoch }: Handed, { p, t, h }: ReturnType<typeof shownMailbox>) {
  return { e: lastEpoch, s: p, least: t, most: t, head: h };
}

/** 25 false take-over. */
export function falseTakeOver(known: Known, parts: PartsOf<25>): Handed {
  const { shown, later } = parts;
  const handed = readHandOver(known, shown, 1);
  const heard = hear(known, later.statement);
  must(heard.key.equals(handed.key), 'of another actor');
  open(heard, later.output, later);
  if (handed.role !== INBOX) {
    const leaf = leafOf(later.preimage, parts);
    mustHaveMoved(known, handed, leaf.mailbox, handed.next, heard.manifest);
    const told = shownMailbox(handed, shown, leaf.mailbox);
    must(disagreeBehind(still(handed, told), before(leaf)), 'they agree');
    return handed;
  }
  const { sender, counter, previous } = rowOf(known, later.preimage, parts);
  mustHaveMoved(known, handed, sender, handed.next, heard.manifest);
  const told = shownSender(handed, shown, sender);
  const wrong =
    previous.epoch > handed.lastEpoch
      ? counter <= told.counter + 1n
      : comparePlaces(previous, told.place) !== 0 || counter !== told.counter + 1n;
  must(wrong, 'they agree');
  return handed;
}

/** 26 lost in a hand-over. */
export function lostInHandOver(known: Known, parts: PartsOf<26>): Handed {
  const { mailbox, place } = parts.subject;
  const consumer = mustBeGiven(known, parts);
  const handed = readHandOver(known, parts.shown, 0);
  must(handed.key.equals(consumer.key), 'of another actor');
  mustBeBefore(known, handed, parts.committed, parts.bridge);
  mustHaveMoved(known, handed, mailbox, consumer.manifest, handed.before);
  must(shownMailbox(handed, parts.shown, mailbox).p < place.epoch, 'the last epoch is not below');
  return handed;
}

/** 27 false hand-on. */
export function falseHandOn(known: Known, { id, earlier, later }: PartsOf<27>): Handed {
  const first = readHandOver(known, earlier, 1);
  const second = readHandOver(known, later, 0);
  must(first.key.equals(second.key), 'two signers');
  mustHaveMoved(known, first, id, first.next, second.before);
  mustHaveMoved(known, second, id, first.next, second.before);
  if (first.role !== INBOX) {
    const told = shownMailbox(second, later, id);
    must(disagreeBehind(still(first, shownMailbox(first, earlier, id)), told), 'they agree');
    return first;
  }
  const [was, is] = [shownSender(first, earlier, id), shownSender(second, later, id)];
  const differ = (a: Place, b: Place) => comparePlaces(a, b) !== 0;
  const wrong =
    (is.counter === was.counter && differ(is.place, was.place)) ||
    is.counter < was.counter ||
    (is.counter > was.counter && is.place.epoch <= first.lastEpoch);
  must(wrong, 'they agree');
  return first;
}
