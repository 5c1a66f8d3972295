/**
 * The deliver frame: one epoch's content of one or more mailboxes with everything a client needs to
 * rebuild whole claims. What the client derives is left out: roots, heads, mailbox ids, positions of
 * later parts, the checkpoint's root.
 *
 *   deliver  := 0x84 ‖ mode 1 ‖ log index 8 ‖ log proof ‖ epoch part ‖ mailboxes 2 ‖ mailboxes × mailbox ‖
 *               hashes 4 ‖ hashes × 32 (one multiproof in the outbox's output, merkle.ts)
 *   log proof, mode 0 (extend): from 8 ‖ signature 64 ‖ hashes 1 ‖ hashes × 32: the subtrees between the
 *               client's checkpoint of size `from` and this leaf; the new checkpoint ends with the leaf
 *   log proof, mode 1 (under):  size 8 ‖ hashes 1 ‖ hashes × 32: audit path under the checkpoint of that size
 *   epoch part := epoch 8 ‖ previous epoch 8 ‖ base size 8 ‖ base root 32 ‖ manifest hash 32 ‖
 *               placement root 32 ‖ inputs 32 ‖ entries 4 ‖ leaves 4 ‖ signature 64 ‖
 *               hashes 1 ‖ hashes × 32 (audit path of the outbox's attestation)
 *   mailbox  := slot 2 ‖ position 4 (of its first leaf) ‖ kind 1 ‖ link or still
 *   still    := trimmed through 8                                             (kind 2)
 *   link     := entries 4 ‖ entries × entry                                   (kind 1)
 *   entry    := inbox 2 ‖ index 4 ‖ 1 ‖ counter 8 ‖ message hash 32           (sent by the owner)
 *             | inbox 2 ‖ index 4 ‖ 2 ‖ sender 32 ‖ counter 8 ‖ recipients 2 ‖ position 2 ‖ blinder 16 ‖
 *               siblings 1 ‖ siblings × 32 ‖ envelope length 4 ‖ envelope part ‖ body length 4 ‖ body part
 *   siblings: none for one recipient; the other leaf hashes in order for 2 to 16; beyond, the other leaf
 *   hashes of the own page, then the audit path of that page
 */

import type { BundleCursor } from './bundle.js';
import { FormatError, getU32, HASH_BYTES, Reader, SIGNATURE_BYTES, type Writer } from './bytes.js';
import { FRAME } from './frames.js';
import type { RecipientTree } from './recipients.js';

export const LOG_MODE = { extend: 0, under: 1 } as const;
export const MAILBOX_KIND = { link: 1, still: 2 } as const;
export const ENTRY_KIND = { sent: 1, received: 2 } as const;

export type LogProof =
  | {
      readonly mode: typeof LOG_MODE.extend;
      readonly from: number;
      readonly signature: Uint8Array;
      readonly gap: Uint8Array;
    }
  | { readonly mode: typeof LOG_MODE.under; readonly size: number; readonly path: Uint8Array };

/** What is equal for all mailboxes of an outbox in one epoch. */
export interface EpochPart {
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly base: { readonly size: number; readonly root: Uint8Array };
  readonly manifestHash: Uint8Array;
  readonly placementRoot: Uint8Array;
  readonly inputs: Uint8Array;
  readonly entries: number;
  readonly leaves: number;
  readonly signature: Uint8Array;
  readonly actorPath: Uint8Array;
}

export interface SentEntry {
  readonly kind: typeof ENTRY_KIND.sent;
  readonly inbox: number;
  readonly index: number;
  readonly counter: number;
  readonly messageHash: Uint8Array;
}

export interface ReceivedEntry {
  readonly kind: typeof ENTRY_KIND.received;
  readonly inbox: number;
  readonly index: number;
  readonly sender: Uint8Array;
  readonly counter: number;
  readonly recipients: number;
  readonly position: number;
  readonly blinder: Uint8Array;
  readonly siblings: Uint8Array;
  /** With its tag; empty = no envelope. */
  readonly envelopePart: Uint8Array;
  readonly bodyPart: Uint8Array;
}

export type DeliveredEntry = SentEntry | ReceivedEntry;

export type DeliveredMailbox =
  | {
      readonly slot: number;
      readonly position: number;
      readonly kind: typeof MAILBOX_KIND.link;
      readonly entries: readonly DeliveredEntry[];
    }
  | {
      readonly slot: number;
      readonly position: number;
      readonly kind: typeof MAILBOX_KIND.still;
      readonly trimmedThrough: number;
    };

export interface Deliver {
  readonly logIndex: number;
  readonly proof: LogProof;
  readonly epoch: EpochPart;
  readonly mailboxes: readonly DeliveredMailbox[];
  readonly multiproof: Uint8Array;
}

/** Type, log proof and epoch part: what starts a frame. The mailbox count follows. */
export function putDeliverHead(out: Writer, logIndex: number, proof: LogProof, epoch: EpochPart): void {
  out.u8(FRAME.deliver).u8(proof.mode).u64(logIndex);
  if (proof.mode === LOG_MODE.extend)
    out
      .u64(proof.from)
      .bytes(proof.signature)
      .u8(proof.gap.length / 32)
      .bytes(proof.gap);
  else
    out
      .u64(proof.size)
      .u8(proof.path.length / 32)
      .bytes(proof.path);
  out.u64(epoch.epoch).u64(epoch.previousEpoch).u64(epoch.base.size).bytes(epoch.base.root);
  out
    .bytes(epoch.manifestHash)
    .bytes(epoch.placementRoot)
    .bytes(epoch.inputs)
    .u32(epoch.entries)
    .u32(epoch.leaves);
  out
    .bytes(epoch.signature)
    .u8(epoch.actorPath.length / 32)
    .bytes(epoch.actorPath);
}

export function putSentEntry(
  out: Writer,
  inbox: number,
  index: number,
  counter: number,
  hash: Uint8Array,
  hashAt: number,
): void {
  out.u16(inbox).u32(index).u8(ENTRY_KIND.sent).u64(counter).slice(hash, hashAt, HASH_BYTES);
}

/** Writes an entry for recipient `position` of the bundle under the cursor, whose tree is `tree` (null: one recipient); the sender is 32 bytes at `senderAt`. */
export function putReceivedEntry(
  out: Writer,
  inbox: number,
  index: number,
  sender: Uint8Array,
  senderAt: number,
  counter: number,
  bundle: BundleCursor,
  tree: RecipientTree | null,
  position: number,
): void {
  const { bytes } = bundle;
  out.u16(inbox).u32(index).u8(ENTRY_KIND.received).slice(sender, senderAt, 32).u64(counter);
  out.u16(bundle.recipients).u16(position).slice(bytes, bundle.blinderAt(position), 16);
  if (tree) tree.putSiblings(out, position);
  else out.u8(0);
  const envelopeAt = bundle.envelopeAt(position);
  out.slice(bytes, envelopeAt, 4 + getU32(bytes, envelopeAt));
  out.slice(bytes, bundle.bodyAt - 4, 4 + bundle.end - bundle.bodyAt);
}

/** Throws `FormatError` on any bytes that are not exactly one deliver frame. Views, not copies. */
export function decodeDeliver(frame: Uint8Array): Deliver {
  const reader = new Reader(frame);
  if (reader.u8() !== FRAME.deliver) throw new FormatError('not a deliver frame');
  const mode = reader.u8();
  const logIndex = reader.u64();
  const proof = readLogProof(reader, mode);
  const epoch = readEpochPart(reader);
  const count = reader.u16();
  if (count === 0) throw new FormatError('a delivery has a mailbox');
  const mailboxes = Array.from({ length: count }, () => readMailbox(reader));
  const hashes = reader.hashes(reader.u32());
  reader.end();
  return { logIndex, proof, epoch, mailboxes, multiproof: hashes };
}

function readLogProof(reader: Reader, mode: number): LogProof {
  if (mode === LOG_MODE.extend) {
    return {
      mode,
      from: reader.u64(),
      signature: reader.bytes(SIGNATURE_BYTES),
      gap: reader.hashes(reader.u8()),
    };
  }
  if (mode === LOG_MODE.under) return { mode, size: reader.u64(), path: reader.hashes(reader.u8()) };
  throw new FormatError(`unknown log proof mode ${mode}`);
}

function readEpochPart(reader: Reader): EpochPart {
  return {
    epoch: reader.u64(),
    previousEpoch: reader.u64(),
    base: { size: reader.u64(), root: reader.hash() },
    manifestHash: reader.hash(),
    placementRoot: reader.hash(),
    inputs: reader.hash(),
    entries: reader.u32(),
    leaves: reader.u32(),
    signature: reader.bytes(SIGNATURE_BYTES),
    actorPath: reader.hashes(reader.u8()),
  };
}

function readMailbox(reader: Reader): DeliveredMailbox {
  const slot = reader.u16();
  const position = reader.u32();
  const kind = reader.u8();
  if (kind === MAILBOX_KIND.still) return { slot, position, kind, trimmedThrough: reader.u64() };
  if (kind !== MAILBOX_KIND.link) throw new FormatError(`unknown mailbox kind ${kind}`);
  const count = reader.u32();
  // An entry takes at least 47 bytes: a false count cannot make us allocate more than the frame holds.
  if (count === 0 || count * 47 > reader.limit - reader.at)
    throw new FormatError(`link with ${count} entries`);
  // Not Array.from: this is once per message.
  const entries: DeliveredEntry[] = [];
  for (let i = 0; i < count; i++) entries.push(readEntry(reader));
  return { slot, position, kind, entries };
}

function readEntry(reader: Reader): DeliveredEntry {
  const inbox = reader.u16();
  const index = reader.u32();
  const kind = reader.u8();
  if (kind === ENTRY_KIND.sent)
    return { kind, inbox, index, counter: reader.u64(), messageHash: reader.hash() };
  if (kind !== ENTRY_KIND.received) throw new FormatError(`unknown entry kind ${kind}`);
  return {
    kind,
    inbox,
    index,
    sender: reader.hash(),
    counter: reader.u64(),
    recipients: reader.u16(),
    position: reader.u16(),
    blinder: reader.bytes(16),
    siblings: reader.hashes(reader.u8()),
    envelopePart: reader.bytes(reader.u32()),
    bodyPart: reader.bytes(reader.u32()),
  };
}
