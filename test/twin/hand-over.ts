/** Hand-overs, and the steps of evidence that are about them. */
import { ascii, fixed, H, hex, join, type Place, u8, u16, u32, u64 } from './bytes.js';
import { verifyByRule } from './ed25519.js';
import type { committed, handOver, Parts, shownHandOver } from './evidence-form.js';
import {
  decoded,
  EMPTY_ROOT,
  epochLeafOf,
  isOnItsLog,
  type Known,
  keyInUse,
  manifestOf,
  must,
} from './evidence-steps.js';
import type { Manifest } from './manifest.js';
import { verifyConsistency, verifyInclusion } from './merkle.js';
import { stays } from './moves.js';
import { placementOf } from './placement.js';
import { type Reader, readAll } from './reader.js';

export interface HandOverFields {
  serverId: Buffer;
  manifestHash: Buffer;
  placementRoot: Buffer;
  role: number;
  from: number;
  to: number;
  log: { size: bigint; root: Buffer };
  lastEpoch: bigint;
  leaves: number;
  root: Buffer;
}

/** The signed bytes. */
export function handOverSigned(fields: HandOverFields): Buffer {
  return join(
    ascii('countersign/v1 hand-over'),
    fixed(32, fields.serverId),
    fixed(32, fields.manifestHash),
    fixed(32, fields.placementRoot),
    u8(fields.role),
    u16(fields.from),
    u16(fields.to),
    u64(fields.log.size),
    fixed(32, fields.log.root),
    u64(fields.lastEpoch),
    u32(fields.leaves),
    fixed(32, fields.root),
  );
}

/** 0x00 ‖ `csign1hm` ‖ mailbox 32 ‖ last epoch 8 ‖ total 8 ‖ head 32 */
export function handedMailbox(id: Buffer, lastEpoch: bigint, total: bigint, head: Buffer): Buffer {
  return join(u8(0x00), ascii('csign1hm'), fixed(32, id), u64(lastEpoch), u64(total), fixed(32, head));
}

/** 0x00 ‖ `csign1hs` ‖ sender 32 ‖ last counter 8 ‖ its place 14 */
export function handedSender(id: Buffer, counter: bigint, { epoch, inbox, index }: Place): Buffer {
  return join(u8(0x00), ascii('csign1hs'), fixed(32, id), u64(counter), u64(epoch), u16(inbox), u32(index));
}

function decodeHandOver(bytes: Buffer): HandOverFields {
  return readAll(bytes, (r) => {
    r.literal(ascii('countersign/v1 hand-over'));
    return {
      serverId: r.hash(),
      manifestHash: r.hash(),
      placementRoot: r.hash(),
      role: r.u8(),
      from: r.u16(),
      to: r.u16(),
      log: { size: r.u64(), root: r.hash() },
      lastEpoch: r.u64(),
      leaves: r.u32(),
      root: r.hash(),
    };
  });
}

export interface MailboxLeaf {
  kind: 'mailbox';
  id: Buffer;
  lastEpoch: bigint;
  total: bigint;
  head: Buffer;
}

export interface SenderLeaf {
  kind: 'sender';
  id: Buffer;
  counter: bigint;
  place: Place;
}

function readMailboxLeaf(r: Reader): MailboxLeaf {
  r.literal(join(u8(0x00), ascii('csign1hm')));
  return { kind: 'mailbox', id: r.take(32), lastEpoch: r.u64(), total: r.u64(), head: r.hash() };
}

function readSenderLeaf(r: Reader): SenderLeaf {
  r.literal(join(u8(0x00), ascii('csign1hs')));
  const id = r.take(32);
  const counter = r.u64();
  return { kind: 'sender', id, counter, place: { epoch: r.u64(), inbox: r.u16(), index: r.u32() } };
}

/** Decoded as a leaf of the role. Throws `Unreadable`. */
export function decodeHandedLeaf(role: number, bytes: Buffer): MailboxLeaf | SenderLeaf {
  return role === 1 ? readAll(bytes, readSenderLeaf) : readAll(bytes, readMailboxLeaf);
}

export interface Handed extends HandOverFields {
  /** Its key, and what the manifest calls it: a role and a number. */
  key: Buffer;
  signer: number;
  before: Manifest;
  next: Manifest;
}

/** A hand-over of a side. */
export function readHandOver(known: Known, part: Parts<typeof handOver>, side: number): Handed {
  const fields = decoded('a hand-over', () => decodeHandOver(part.signed));
  must(fields.role === 1 || fields.role === 4, 'the role is neither 1 nor 4');
  must(fields.serverId.equals(known.serverId), 'a hand-over on another server');
  const next = manifestOf(known, fields.manifestHash);
  must(next !== undefined, 'the hand-over names none of the manifests');
  known.named.add(hex(fields.manifestHash));
  const before = known.manifests.map(({ manifest }) => manifest).find((m) => m.version === next.version - 1);
  must(before !== undefined, 'the next version is version 1');
  must(side === 0 || side === 1, 'no such side');
  const signer = side === 0 ? fields.from : fields.to;
  const key = keyInUse(side === 0 ? before : next, fields.role, signer);
  must(key !== undefined, 'no such actor');
  must(verifyByRule(key, part.signed, part.signature), 'the signature of the hand-over does not verify');
  return { ...fields, key, signer, before, next };
}

/** Its leaves are opened in it. */
export function openLeaves(handed: Handed, { leaves }: Parts<typeof shownHandOver>): void {
  for (const { preimage, index, path } of leaves)
    must(
      verifyInclusion(BigInt(index), BigInt(handed.leaves), H(preimage), path, handed.root),
      'a leaf is not in the hand-over',
    );
}

/** What a hand-over shows of an id: its leaf, or undefined that it has none. */
function shownOf(
  handed: Handed,
  shown: Parts<typeof shownHandOver>,
  id: Buffer,
): MailboxLeaf | SenderLeaf | undefined {
  openLeaves(handed, shown);
  // Without leaves nobody has one.
  if (handed.leaves === 0) return undefined;
  const leaves = shown.leaves.map(({ preimage }) =>
    decoded('a leaf of a hand-over', () => decodeHandedLeaf(handed.role, preimage)),
  );
  const [first, second] = leaves;
  must(first !== undefined, 'no leaf');
  const [at, behind] = shown.leaves.map(({ index }) => index);
  if (second !== undefined) {
    // Two leaves: the second index is the first plus one, the first id is below and the second above.
    const between = Buffer.compare(first.id, id) < 0 && Buffer.compare(second.id, id) > 0;
    must(behind === at! + 1 && between, 'the id is not between the two');
    return undefined;
  }
  // One leaf of the id shows it.
  if (first.id.equals(id)) return first;
  // One leaf: it is the first and its id is above, or the last and its id is below.
  const above = Buffer.compare(first.id, id) > 0;
  must(above ? at === 0 : at === handed.leaves - 1, 'the leaf shows nothing');
  return undefined;
}

/** Of a mailbox (p, t, h); where there is none 0, 0 and no known head. */
export function shownMailbox(handed: Handed, shown: Parts<typeof shownHandOver>, id: Buffer) {
  const leaf = shownOf(handed, shown, id);
  if (leaf?.kind !== 'mailbox') return { p: 0n, t: 0n, h: undefined };
  return { p: leaf.lastEpoch, t: leaf.total, h: leaf.head };
}

/** Of a sender counter and place; where there is none 0 and no place. */
export function shownSender(handed: Handed, shown: Parts<typeof shownHandOver>, id: Buffer) {
  const leaf = shownOf(handed, shown, id);
  if (leaf?.kind !== 'sender') return { counter: 0n, place: { epoch: 0n, inbox: 0, index: 0 } };
  return { counter: leaf.counter, place: leaf.place };
}

/** Where the two versions place an id: does it go from the one to the other? */
export function goesThere(known: Known, handed: Handed, id: Buffer): boolean {
  const kind = handed.role === 1 ? 'inbox' : 'outbox';
  const old = placementOf(known.serverId, handed.before.runs, [], id)[kind];
  const now = placementOf(known.serverId, handed.next.runs, [], id)[kind];
  return old === handed.from && now === handed.to;
}

export function mustBeByBuckets(handed: Handed): void {
  must(handed.placementRoot.equals(EMPTY_ROOT), 'placement is not by buckets');
}

/** An id has moved, and stayed by the versions from the one to the other. */
export function mustHaveMoved(
  known: Known,
  handed: Handed,
  id: Buffer,
  first: Manifest,
  last: Manifest,
): void {
  mustBeByBuckets(handed);
  must(goesThere(known, handed, id), 'the id is not moved by the hand-over');
  const versions = known.manifests
    .map(({ manifest }) => manifest)
    .filter(({ version }) => version >= first.version && version <= last.version);
  must(versions.length > 0, 'there are no versions');
  must(stays(known, handed.role === 1 ? 'inbox' : 'outbox', id, versions), 'the id was moved meanwhile');
}

/** A log before a hand-over. */
export function mustBeBefore(
  known: Known,
  handed: Handed,
  { logged }: Parts<typeof committed>,
  path: Buffer[],
): void {
  must(isOnItsLog(epochLeafOf(known, logged), logged), 'an epoch leaf is not on its log');
  must(logged.logIndex < handed.log.size, 'the epoch is behind the hand-over');
  const [a, b] = [logged.checkpoint, handed.log];
  if (a.size === b.size) {
    must(a.root.equals(b.root) && path.length === 0, 'another log');
    return;
  }
  const [smaller, larger] = a.size < b.size ? [a, b] : [b, a];
  must(smaller.size !== 0n, 'nothing leads from the empty log');
  must(
    verifyConsistency(smaller.size, larger.size, smaller.root, larger.root, path),
    'the path does not lead from the one to the other',
  );
}
