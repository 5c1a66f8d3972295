/** Rule 19: a sender's counters in its own chain. */
import { INBOX, OUTBOX, RECEIVER, ROUTER } from './attestation.js';
import type { Link } from './chain.js';
import { type ChainLeaf, decodeChainLeaf } from './decode.js';
import type { claim, Parts, PartsOf } from './evidence-form.js';
import { readMessage } from './evidence-messages.js';
import {
  decoded,
  epochLeafOf,
  type Heard,
  isOnItsLog,
  type Known,
  must,
  verifyClaim,
} from './evidence-steps.js';
import { stays, versionsBetween } from './moves.js';
import type { Suspect } from './rules-stages.js';

/** 19 own counters. */
export function ownCounters(known: Known, parts: PartsOf<19>): Suspect[] {
  const { sender, claims, firstEntry } = parts;
  const links = claims.map((part) => ownLink(known, part, sender));
  must(links.length > 0, 'no claim');
  const checkpoints = claims.map((part) => part.committed.logged.checkpoint);
  // The claims are of one outbox key, have checkpoints of one size and root
  must(
    links.every(({ heard }) => heard.key.equals(links[0]!.heard.key)),
    'two keys',
  );
  for (const { size, root } of checkpoints) {
    must(size === checkpoints[0]!.size && root.equals(checkpoints[0]!.root), 'two checkpoints');
  }
  // and epoch leaves on their logs.
  for (const { committed } of claims)
    must(
      isOnItsLog(epochLeafOf(known, committed.logged), committed.logged),
      'an epoch leaf is not on its log',
    );
  for (const [i, { link }] of links.entries())
    if (i > 0) must(follows(links[i - 1]!.link, link), 'links missing');
  // The messages are those of consecutive entries, from the first entry given, which is in the first claim, to
  // one in the last claim.
  const entries = links.flatMap(({ link }) => link.entries);
  const end = firstEntry + parts.messages.length;
  must(firstEntry < links[0]!.link.entries.length, 'the first entry is not in the first claim');
  must(end <= entries.length, 'more messages than entries');
  must(end > entries.length - links.at(-1)!.link.entries.length, 'the last entry is not in the last claim');
  const messages = parts.messages.map((preimage, i) => {
    const message = readMessage(known, preimage);
    must(message.hash.equals(entries[firstEntry + i]!.messageHash), 'the message is not that of the entry');
    return message;
  });
  // The first and the last are the sender's own, none between is,
  must(messages.length >= 2, 'no two messages');
  for (const [i, message] of messages.entries()) {
    const own = i === 0 || i === messages.length - 1;
    must(message.sender.equals(sender) === own, 'own where it should not be, or the other way round');
  }
  // The sender stays, and so does its mailbox, between the first claim and the last;
  const versions = versionsBetween(known, links[0]!.heard, links.at(-1)!.heard);
  for (const kind of ['inbox', 'outbox'] as const) must(stays(known, kind, sender, versions), 'it was moved');
  // both of one inbox,
  const { inbox } = entries[firstEntry]!;
  must(entries[end - 1]!.inbox === inbox, 'messages of two inboxes');
  // and the last counter is not the first plus one.
  must(messages.at(-1)!.counter !== messages[0]!.counter + 1n, 'the counters follow each other');
  // Suspected are the inbox and router of the first entry, and the receiver and outbox of the mailbox.
  const outbox = links[0]!.heard.attestation.actor;
  return [
    { role: INBOX, index: inbox },
    { role: ROUTER, index: inbox },
    { role: RECEIVER, index: outbox },
    { role: OUTBOX, index: outbox },
  ];
}

/** on link parts of the sender's own mailbox, */
function ownLink(known: Known, part: Parts<typeof claim>, sender: Buffer): { link: Link; heard: Heard } {
  const heard = verifyClaim(known, part);
  const leaf: ChainLeaf = decoded('a link part', () => decodeChainLeaf(part.opened.preimage));
  must(leaf.kind === 'link', 'no link part');
  must(leaf.mailbox.equals(sender), 'of another mailbox');
  must(heard.attestation.role === OUTBOX, 'not of an outbox');
  return { link: leaf, heard };
}

/** each the next part of the one before, or the first part of the link whose previous epoch is that one's */
function follows(before: Link, next: Link): boolean {
  const isLast = before.part >= before.parts - 1; // else entries between were left out
  if (next.epoch === before.epoch) return next.part === before.part + 1 && !isLast;
  return next.part === 0 && next.previousEpoch === before.epoch && isLast;
}
