/** Rules about the chain of one mailbox. */
import { sha256 } from '#crypto';
import { ROLE } from '../attestation.js';
import { equalBytes, FormatError } from '../bytes.js';
import { type ClaimInLog, claimIn } from '../claim.js';
import { PAGE_ENTRIES } from '../limits.js';
import { type Court, must } from './court.js';
import type { EvidenceOf } from './evidence.js';
import { type Guilt, guiltyActor, guiltyServer } from './guilt.js';
import { type Item, type LinkPart, readMailboxLeaf, type StillLeaf } from './leaves.js';
import { openMessage } from './message.js';
import { mustStay, versionsBetween } from './moves.js';

type Leaf = LinkPart | StillLeaf;

/** Two leaves of one mailbox that do not agree about its chain. */
export function mailboxLeaves(court: Court, evidence: EvidenceOf<'mailboxLeaves'>): Guilt {
  const [a, b] = [claimIn(court, evidence.earlier), claimIn(court, evidence.later)];
  court.bridge(a, b, evidence.bridge);
  const [earlier, later] = [readMailboxLeaf(a.leaf), readMailboxLeaf(b.leaf)];
  must(equalBytes(earlier.mailbox, later.mailbox), 'leaves of two mailboxes');
  must(equalBytes(a.actor.key, b.actor.key), 'leaves of two actors');
  must(
    a.attestation.epoch !== b.attestation.epoch || equalBytes(a.hash, b.hash),
    'two statements: another rule',
  );
  mustStay(court, earlier.mailbox, 'outbox', versionsBetween(court, a, b));
  const fault =
    earlier.epoch === later.epoch
      ? faultInEpoch(earlier, a, later, b)
      : faultBetween(earlier, sha256(a.leaf), later);
  return guiltyActor(a.actor, `contradicted itself about a mailbox: ${fault}`);
}

function faultInEpoch(a: Leaf, { leaf, leafIndex }: ClaimInLog, b: Leaf, other: ClaimInLog): string {
  must(leafIndex < other.leafIndex, 'two leaves of one epoch, the first one first');
  if (a.kind === 'still' || b.kind === 'still') return 'a still beside another leaf of one epoch';
  if (a.part >= b.part) return 'parts that do not rise';
  if (a.parts !== b.parts || a.lastEpoch !== b.lastEpoch) return 'parts of two links in one epoch';
  // All parts between them are full.
  const between = (b.part - a.part - 1) * PAGE_ENTRIES;
  if (b.total !== a.total + between + b.entries.length) return 'totals that do not add up';
  must(b.part === a.part + 1 && !equalBytes(b.head, sha256(leaf)), 'nothing is wrong with them');
  return 'heads that do not follow';
}

/** What somebody later says of the chain before. Head null: it is in another part, or there is none yet. */
export interface Told {
  readonly lastEpoch: number;
  readonly total: number;
  readonly head: Uint8Array | null;
}

export function before(leaf: Leaf): Told {
  const { lastEpoch, total, head } = leaf;
  if (leaf.kind === 'still') return { lastEpoch, total, head };
  const own = leaf.part * PAGE_ENTRIES + leaf.entries.length;
  return { lastEpoch, total: total - own, head: leaf.part === 0 ? head : null };
}

/** Where a chain stood after an epoch: its last link, with how many entries at least and at most. Head null: it is not known. */
export interface Stand {
  readonly epoch: number;
  readonly lastEpoch: number;
  readonly least: number;
  readonly most: number;
  readonly head: Uint8Array | null;
}

/** Of a link with parts behind this one the number of entries is not known, nor the head. */
export function standOf(leaf: Leaf, hash: Uint8Array): Stand {
  const { epoch, total } = leaf;
  if (leaf.kind === 'still') {
    const { lastEpoch, head } = leaf;
    return { epoch, lastEpoch, least: total, most: total, head };
  }
  const behind = leaf.parts - 1 - leaf.part;
  const least = total + (behind > 0 ? (behind - 1) * PAGE_ENTRIES + 1 : 0);
  const most = total + behind * PAGE_ENTRIES;
  return { epoch, lastEpoch: epoch, least, most, head: behind === 0 ? hash : null };
}

function faultBetween(a: Leaf, hash: Uint8Array, b: Leaf): string {
  must(a.epoch < b.epoch, 'two leaves, the earlier one first');
  return faultBehind(standOf(a, hash), before(b));
}

/** Throws `FormatError` where they agree. */
export function faultBehind({ epoch, lastEpoch, least, most, head }: Stand, told: Told): string {
  if (told.lastEpoch < lastEpoch)
    return `there was a link at ${lastEpoch}, and none was known after ${told.lastEpoch}`;
  if (told.lastEpoch > epoch) {
    must(told.total <= least, 'nothing is wrong with them');
    return `${told.total} entries by ${told.lastEpoch}, and ${least} by ${epoch}`;
  }
  if (told.lastEpoch > lastEpoch)
    return `nothing after ${lastEpoch} as of ${epoch}, and a link at ${told.lastEpoch}`;
  if (told.total < least || told.total > most) return `${told.total} entries, and ${least}, by one epoch`;
  must(head !== null && told.head !== null && !equalBytes(told.head, head), 'nothing is wrong with them');
  return 'two heads of one link';
}

/** A chain that shows two messages of its owner, one after the other, whose counters are not. */
export function ownCounters(court: Court, evidence: EvidenceOf<'ownCounters'>): Guilt {
  const { sender, links, first, messages } = evidence;
  const claims = links.map((claim) => claimIn(court, claim));
  const parts = claims.map(({ leaf }) => readMailboxLeaf(leaf));
  const entries: Item[] = [];
  parts.forEach((part, i) => {
    must(part.kind === 'link' && equalBytes(part.mailbox, sender), 'links of the sender');
    must(equalBytes(claims[i]!.actor.key, claims[0]!.actor.key), 'links of two outboxes');
    court.bridge(claims[0]!, claims[i]!, new Uint8Array(0));
    if (i > 0) must(isNext(parts[i - 1]! as LinkPart, part), 'links that do not follow each other');
    entries.push(...part.entries);
  });
  const opened = messages.map((preimage, i) => {
    const message = openMessage(preimage, court.serverId);
    const entry = entries[first + i];
    must(
      entry !== undefined && equalBytes(entry.messageHash, message.hash),
      'another message than the chain has',
    );
    return { ...message, isOwn: equalBytes(message.sender, sender) };
  });
  const last = parts.at(-1) as LinkPart | undefined;
  must(
    last !== undefined && entries.length - (first + opened.length) < last.entries.length,
    'links too many',
  );
  must(first < (parts[0] as LinkPart).entries.length, 'links too many');
  const isOpen =
    opened.length > 1 && opened.every(({ isOwn }, i) => isOwn === (i === 0 || i === opened.length - 1));
  must(isOpen, 'two messages of the sender, and none of its own between them');
  const { inbox } = entries[first]!;
  const versions = versionsBetween(court, claims[0]!, claims.at(-1)!);
  for (const kind of ['inbox', 'outbox'] as const) mustStay(court, sender, kind, versions);
  // Another inbox has not seen what this one numbered: who let it in is not among the suspects.
  must(entries[first + opened.length - 1]!.inbox === inbox, 'messages of two inboxes');
  const [from, to] = [opened[0]!.counter, opened.at(-1)!.counter];
  if (to === from + 1) throw new FormatError('nothing is wrong with them');
  const { attestation, actor } = claims[0]!;
  const suspects = [
    { role: ROLE.inbox, index: inbox },
    { role: ROLE.router, index: inbox },
    { role: ROLE.receiver, index: attestation.actor },
    actor,
  ];
  return guiltyServer(suspects, `let counter ${to} of one sender follow ${from} in its own chain`);
}

function isNext(a: LinkPart, b: LinkPart): boolean {
  if (a.part < a.parts - 1) return b.epoch === a.epoch && b.part === a.part + 1;
  return b.part === 0 && b.lastEpoch === a.epoch;
}
