/**
 * Hand-overs: what an inbox or outbox knows of the ids that a next version of the manifest places elsewhere. Both sign the
 * same bytes, the old one that hands over and the new one that takes over: so each can be held to it.
 *
 *   signed bytes  countersign/v1 hand-over ‖ server id 32 ‖ manifest hash 32 ‖ placement root 32 ‖ role 1 ‖ from 2 ‖ to 2 ‖
 *                 log size 8 ‖ log root 32 ‖ last epoch 8 ‖ leaves 4 ‖ root 32
 *   mailbox       0x00 ‖ csign1hm ‖ mailbox 32 ‖ last epoch 8 ‖ total 8 ‖ head 32
 *   sender        0x00 ‖ csign1hs ‖ sender 32 ‖ last counter 8 ‖ place 14
 *
 * The manifest is the next version, and so is the placement. Leaves rise strictly by id; who has no entry in its chain, or has
 * sent nothing, has none. There is one for each two actors such that buckets go from the one to the other.
 */
import { sha256Into } from '#crypto';
import { type Base, ROLE } from './attestation.js';
import { ascii, concat, HASH_BYTES, Reader, Writer } from './bytes.js';
import { expectBytes } from './expect-bytes.js';
import type { Place } from './place.js';

const DOMAIN = /* @__PURE__ */ ascii('countersign/v1 hand-over');
const MAILBOX_PREFIX = /* @__PURE__ */ ascii('\0csign1hm');
const SENDER_PREFIX = /* @__PURE__ */ ascii('\0csign1hs');

/** Of what both sign. */
export const HAND_OVER_BYTES = 209;

export interface HandOver {
  readonly serverId: Uint8Array;
  /** Of the version that places elsewhere. */
  readonly manifestHash: Uint8Array;
  readonly placementRoot: Uint8Array;
  /** Inbox or outbox; any other number is decoded, too. */
  readonly role: number;
  readonly from: number;
  readonly to: number;
  /** All that is committed before. */
  readonly log: Base;
  /** Of the log's last leaf. */
  readonly lastEpoch: number;
  readonly leaves: number;
  readonly root: Uint8Array;
}

/** What is handed over of a mailbox. */
export interface HandedMailbox {
  readonly lastEpoch: number;
  readonly total: number;
  readonly head: Uint8Array;
}

/** What is handed over of a sender. */
export interface HandedSender {
  readonly counter: number;
  readonly place: Place;
}

/** The bytes that both sign. */
export function encodeHandOver(handOver: HandOver): Uint8Array {
  const { serverId, manifestHash, placementRoot, role, from, to, log, lastEpoch, leaves, root } = handOver;
  return new Writer(HAND_OVER_BYTES)
    .bytes(DOMAIN)
    .bytes(serverId)
    .bytes(manifestHash)
    .bytes(placementRoot)
    .u8(role)
    .u16(from)
    .u16(to)
    .u64(log.size)
    .bytes(log.root)
    .u64(lastEpoch)
    .u32(leaves)
    .bytes(root)
    .done();
}

/** Throws `FormatError` on any other bytes than `encodeHandOver` gives. */
export function decodeHandOver(bytes: Uint8Array): HandOver {
  const reader = new Reader(bytes);
  expectBytes(reader, DOMAIN, 'hand-over domain');
  const handOver = {
    serverId: reader.hash(),
    manifestHash: reader.hash(),
    placementRoot: reader.hash(),
    role: reader.u8(),
    from: reader.u16(),
    to: reader.u16(),
    log: { size: reader.u64(), root: reader.hash() },
    lastEpoch: reader.u64(),
    leaves: reader.u32(),
    root: reader.hash(),
  };
  reader.end();
  return handOver;
}

/** Bytes of a leaf behind its prefix: how hand-overs are kept. */
export const HANDED_BYTES = { [ROLE.inbox]: 32 + 8 + 14, [ROLE.outbox]: 32 + 8 + 8 + 32 } as const;
export type HandingRole = keyof typeof HANDED_BYTES;

/** The leaf of what is kept. */
export function handedLeaf(role: HandingRole, kept: Uint8Array): Uint8Array {
  return concat(role === ROLE.inbox ? SENDER_PREFIX : MAILBOX_PREFIX, kept);
}

/** Hashes of the leaves that lie one behind the other without their prefixes; of whole ones. */
export function handedHashes(role: HandingRole, kept: Uint8Array): Uint8Array {
  const bytes = HANDED_BYTES[role];
  const count = Math.floor(kept.length / bytes);
  const hashes = new Uint8Array(count * HASH_BYTES);
  // One leaf is written over the other, behind the prefix.
  const leaf = handedLeaf(role, kept.subarray(0, bytes));
  for (let i = 0; i < count; i++) {
    leaf.set(kept.subarray(i * bytes, (i + 1) * bytes), leaf.length - bytes);
    sha256Into(leaf, hashes, i * HASH_BYTES);
  }
  return hashes;
}

export function keptMailbox(mailbox: Uint8Array, { lastEpoch, total, head }: HandedMailbox): Uint8Array {
  return new Writer(80).bytes(mailbox).u64(lastEpoch).u64(total).bytes(head).done();
}

export function keptSender(sender: Uint8Array, { counter, place }: HandedSender): Uint8Array {
  const { epoch, inbox, index } = place;
  return new Writer(54).bytes(sender).u64(counter).u64(epoch).u16(inbox).u32(index).done();
}

/** Throws `FormatError` on what is no leaf of a mailbox. */
export function readHandedMailbox(leaf: Uint8Array): HandedMailbox & { readonly id: Uint8Array } {
  const from = new Reader(leaf);
  expectBytes(from, MAILBOX_PREFIX, 'prefix');
  const read = { id: from.hash(), lastEpoch: from.u64(), total: from.u64(), head: from.hash() };
  from.end();
  return read;
}

/** Throws `FormatError` on what is no leaf of a sender. */
export function readHandedSender(leaf: Uint8Array): HandedSender & { readonly id: Uint8Array } {
  const from = new Reader(leaf);
  expectBytes(from, SENDER_PREFIX, 'prefix');
  const id = from.hash();
  const counter = from.u64();
  const place = { epoch: from.u64(), inbox: from.u16(), index: from.u32() };
  from.end();
  return { id, counter, place };
}
