/** Hand-overs in evidence: who has signed one, what it shows of an id, and the log that it stands on. */
import { sha256 } from '#crypto';
import { ROLE } from '../attestation.js';
import { compareWhole, equalBytes } from '../bytes.js';
import {
  decodeHandOver,
  type HandedMailbox,
  type HandedSender,
  type HandOver,
  readHandedMailbox,
  readHandedSender,
} from '../hand-over.js';
import { placedBy } from '../handings.js';
import { keysOf, type Manifest } from '../manifest.js';
import type { OpenedManifest } from '../manifest-chain.js';
import { EMPTY_ROOT, isOneLog, rootFromPath } from '../merkle.js';
import { decodeOpenedHandOver } from '../opened-hand-over.js';
import { HANDED_SENDER, type OpenedItem } from '../opening.js';
import { NO_PLACE } from '../place.js';
import { placementOf } from '../placement.js';
import { type Actor, Court, type InLog, must } from './court.js';
import type { ShownHandOver, SignedHandOver } from './evidence.js';
import { stays } from './moves.js';

/** Who of the two has signed: the one that hands over, or the one that takes over. */
export const SIDE = { from: 0, to: 1 } as const;

/** A hand-over whose signature verifies. */
export interface Handed extends HandOver {
  readonly signer: Actor;
  /** The version that moves, and the one before it. */
  readonly next: Manifest;
  readonly before: Manifest;
}

/** Decodes a hand-over and checks who signed it, of these two. */
export function handed(court: Court, { signed, signature }: SignedHandOver, side: number): Handed {
  const said = decodeHandOver(signed);
  const role = roleOf(said);
  must(equalBytes(said.serverId, court.serverId), 'another server');
  const next = court.manifest(said.manifestHash);
  const before = court.versions.find(({ version }) => version === next.version - 1);
  must(before !== undefined, 'a hand-over to the first version');
  must(side === SIDE.from || side === SIDE.to, 'neither of the two');
  const index = side === SIDE.from ? said.from : said.to;
  const key = keysOf(side === SIDE.from ? before : next).get(role, index);
  must(key.verify(signed, signature), 'the signature of a hand-over does not verify');
  return { ...said, signer: { role, index, key: key.bytes }, next, before };
}

function roleOf({ role }: HandOver) {
  must(role === ROLE.inbox || role === ROLE.outbox, 'no role that hands over');
  return role;
}

/** Throws `FormatError` where placement has exceptions, which are not opened. */
export function mustBeByBuckets({ placementRoot }: HandOver): void {
  must(equalBytes(placementRoot, EMPTY_ROOT), 'placement has exceptions, which are not opened here');
}

/** Whether the id goes from the one to the other. */
export function isMoved(court: Court, said: Handed, id: Uint8Array): boolean {
  const kind = placedBy(said.role);
  const [old, now] = [said.before, said.next].map((each) => placementOf(each, court.serverId, id)[kind]);
  return old === said.from && now === said.to;
}

/** An id that goes from the one to the other, and stays there by these versions. Throws `FormatError`. */
export function mustHave(court: Court, said: Handed, id: Uint8Array, from: number, to: number): void {
  mustBeByBuckets(said);
  must(isMoved(court, said, id), 'an id that is not handed over here');
  const versions = court.versions.filter(({ version }) => version >= from && version <= to);
  must(versions.length > 0 && stays(court, id, placedBy(said.role), versions), 'it was moved meanwhile');
}

/** A leaf, of whichever role. */
export const readHanded = (said: HandOver, leaf: Uint8Array) =>
  said.role === ROLE.inbox ? readHandedSender(leaf) : readHandedMailbox(leaf);

export function mustOpen(said: HandOver, { leaves }: Pick<ShownHandOver, 'leaves'>): void {
  for (const { leaf, leafIndex, outputPath } of leaves) {
    const root = rootFromPath(said.leaves, leafIndex, sha256(leaf), outputPath);
    must(equalBytes(root, said.root), 'a leaf is not in the hand-over');
  }
}

/** What is handed over of a mailbox. Head null: it has no entries, and its head is not told. */
export type ToldMailbox = Pick<HandedMailbox, 'lastEpoch' | 'total'> & { readonly head: Uint8Array | null };

export function mailboxIn(said: Handed, shown: ShownHandOver, id: Uint8Array): ToldMailbox {
  const found = leafOf(said, shown, id, readHandedMailbox);
  return found ?? { lastEpoch: 0, total: 0, head: null };
}

export function senderIn(said: Handed, shown: ShownHandOver, id: Uint8Array): HandedSender {
  return leafOf(said, shown, id, readHandedSender) ?? { counter: 0, place: NO_PLACE };
}

/** The id's leaf; null where the leaves show that there is none. Throws `FormatError` where they show neither. */
function leafOf<T extends { readonly id: Uint8Array }>(
  said: Handed,
  shown: ShownHandOver,
  id: Uint8Array,
  read: (leaf: Uint8Array) => T,
): T | null {
  mustOpen(said, shown);
  if (said.leaves === 0) return null;
  const [first, second] = shown.leaves.map(({ leaf }) => read(leaf));
  must(first !== undefined, 'no leaf of the hand-over');
  const at = shown.leaves.map(({ leafIndex }) => leafIndex);
  const order = compareWhole(first.id, id);
  if (second) {
    const isBetween = at[1] === at[0]! + 1 && order < 0 && compareWhole(id, second.id) < 0;
    must(isBetween, 'the id is not between the leaves');
    return null;
  }
  if (order === 0) return first;
  must(order > 0 ? at[0] === 0 : at[0] === said.leaves - 1, 'a leaf that shows nothing');
  return null;
}

/** What is logged is in the log that the hand-over stands on. Throws `FormatError`. */
export function mustBeBefore(logged: InLog, { log }: HandOver, proof: Uint8Array): void {
  must(logged.isOnItsLog, 'an epoch on another base than the log before it');
  must(logged.index < log.size, 'an epoch behind the hand-over');
  must(isOneLog(logged.checkpoint, log, proof), 'it is not shown to be of the log of the hand-over');
}

/**
 * Whether both have signed that the id is handed over; false = that it is not. `opened`: what an opening shows, of the version in
 * force from the epoch. Throws `FormatError` where it shows neither.
 */
export function isHandedOver(
  { stage, epoch, mailbox }: OpenedItem,
  opened: readonly Uint8Array[],
  manifests: readonly OpenedManifest[],
): boolean {
  const next = manifests.find(({ from }) => from === epoch)?.manifest;
  const [bytes] = opened;
  must(next !== undefined && opened.length === 1 && bytes !== undefined, 'one hand-over to a version');
  const { signed, leaves, ...signatures } = decodeOpenedHandOver(bytes);
  const all = manifests.map(({ hash, manifest }) => [hash, manifest] as const);
  const court = new Court(manifests[0]!.hash, all);
  handed(court, { signed, signature: signatures.to }, SIDE.to);
  const said = handed(court, { signed, signature: signatures.from }, SIDE.from);
  must(said.next.version === next.version, 'a hand-over to another version');
  must(said.role === (stage === HANDED_SENDER ? ROLE.inbox : ROLE.outbox), 'a hand-over of another role');
  mustHave(court, said, mailbox, next.version, next.version);
  const shown = { signed, signature: signatures.from, leaves };
  return said.role === ROLE.inbox
    ? senderIn(said, shown, mailbox).counter > 0
    : mailboxIn(said, shown, mailbox).total > 0;
}
