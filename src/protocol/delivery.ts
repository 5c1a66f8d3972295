/**
 * The deliver frame: one epoch's content of one or more mailboxes with everything a client needs to
 * rebuild whole claims. What the client derives is left out: roots, heads, mailbox ids, positions of
 * later parts, the checkpoint's root.
 *
 * Its fields are those of the definitions below, in that order. Entries are written and read by hand too:
 * there is one for every message and recipient.
 */
import type { BundleView } from './bundle.js';
import { BLINDER_BYTES, BODY_TAG, ENVELOPE_TAG } from './bundle-layout.js';
import { append, copy32, copyShort, FormatError, HASH_BYTES, type Reader, type Writer } from './bytes.js';
import {
  checked,
  decode,
  type Field,
  fixed,
  hash,
  hashes,
  list,
  part,
  signature,
  struct,
  tagged,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
} from './fields.js';
import { FRAME, frameType } from './frames.js';
import { putSiblings, type RecipientLeaves } from './recipients.js';

export const LOG_MODE = { extend: 0, under: 1 } as const;
export const MAILBOX_KIND = { link: 1, still: 2 } as const;
export const ENTRY_KIND = { sent: 1, received: 2 } as const;

/**
 * Extend: the subtrees between the client's checkpoint of size `from` and this leaf; the new checkpoint
 * ends with the leaf. Under: the audit path under the checkpoint of that size.
 */
const logProof = tagged({}, 'mode', {
  [LOG_MODE.extend]: { logIndex: u64, from: u64, signature, gap: hashes(u8) },
  [LOG_MODE.under]: { logIndex: u64, size: u64, path: hashes(u8) },
});
export type LogProof = ValueOf<typeof logProof>;

/** What is equal for all mailboxes of an outbox in one epoch; the path is that of the outbox's attestation. */
const epochPart = struct({
  epoch: u64,
  previousEpoch: u64,
  base: struct({ size: u64, root: hash }),
  manifestHash: hash,
  placementRoot: hash,
  inputs: hash,
  entries: u32,
  leaves: u32,
  signature,
  actorPath: hashes(u8),
});
export type EpochPart = ValueOf<typeof epochPart>;

/**
 * Siblings: none for one recipient; the other leaf hashes in order for 2 to 16; beyond, the other leaf
 * hashes of the own page, then the audit path of that page. Envelope and body are their parts, with tags;
 * an empty envelope has none.
 */
const entryFields = tagged({ inbox: u16, index: u32 }, 'kind', {
  [ENTRY_KIND.sent]: { counter: u64, messageHash: hash },
  [ENTRY_KIND.received]: {
    sender: hash,
    counter: u64,
    recipients: u16,
    position: u16,
    blinder: fixed(BLINDER_BYTES),
    siblings: hashes(u8),
    envelope: part(ENVELOPE_TAG, true),
    body: part(BODY_TAG, false),
  },
});
export type DeliveredEntry = ValueOf<typeof entryFields>;
export type SentEntry = Extract<DeliveredEntry, { kind: typeof ENTRY_KIND.sent }>;
export type ReceivedEntry = Extract<DeliveredEntry, { kind: typeof ENTRY_KIND.received }>;

/** Read by hand: this is once per message, and takes a third of the time. */
const entry: Field<DeliveredEntry> = { ...entryFields, read: readEntry };

function readEntry(from: Reader): DeliveredEntry {
  const inbox = from.u16();
  const index = from.u32();
  const kind = from.u8();
  if (kind === ENTRY_KIND.sent) return { inbox, index, kind, counter: from.u64(), messageHash: from.hash() };
  if (kind !== ENTRY_KIND.received) throw new FormatError(`unknown entry kind ${kind}`);
  return {
    inbox,
    index,
    kind,
    sender: from.hash(),
    counter: from.u64(),
    recipients: from.u16(),
    position: from.u16(),
    blinder: from.bytes(BLINDER_BYTES),
    siblings: from.hashes(from.u8()),
    envelope: from.bytes(from.u32()),
    body: from.bytes(from.u32()),
  };
}

function notEmpty<T>(items: Field<readonly T[]>, what: string): Field<readonly T[]> {
  return checked(items, ({ length }) => {
    if (length === 0) throw new FormatError(`${what} expected`);
  });
}

const entries = notEmpty(list(u32, entry), 'an entry');
/** Position: of the mailbox's first leaf. */
const mailboxFields = tagged({ slot: u16, position: u32 }, 'kind', {
  [MAILBOX_KIND.link]: { entries },
  [MAILBOX_KIND.still]: { trimmedThrough: u64 },
});
export type DeliveredMailbox = ValueOf<typeof mailboxFields>;

/** Read by hand like entries: under load nearly every message is alone in its mailbox. */
const mailbox: Field<DeliveredMailbox> = { ...mailboxFields, read: readMailbox };

function readMailbox(from: Reader): DeliveredMailbox {
  const slot = from.u16();
  const position = from.u32();
  const kind = from.u8();
  if (kind === MAILBOX_KIND.link) return { slot, position, kind, entries: entries.read(from) };
  if (kind === MAILBOX_KIND.still) return { slot, position, kind, trimmedThrough: from.u64() };
  throw new FormatError(`unknown mailbox kind ${kind}`);
}

/** The multiproof leads from all leaves of the frame to the outbox's output (merkle.ts). */
export const deliver = struct({
  proof: logProof,
  epoch: epochPart,
  mailboxes: notEmpty(list(u16, mailbox), 'a mailbox'),
  multiproof: hashes(u32),
});
export type Deliver = ValueOf<typeof deliver>;

/** Throws `FormatError` on any bytes that are not exactly one deliver frame. Views, not copies. */
export function decodeDeliver(frame: Uint8Array): Deliver {
  if (frameType(frame) !== FRAME.deliver) throw new FormatError('not a deliver frame');
  return decode(deliver, frame, 1);
}

/** Type, log proof and epoch part: what starts a frame. The mailbox count follows. */
export function putDeliverHead(out: Writer, proof: LogProof, epoch: EpochPart): void {
  out.u8(FRAME.deliver);
  logProof.write(out, proof);
  epochPart.write(out, epoch);
}

export function putSentEntry(
  out: Writer,
  inbox: number,
  index: number,
  counter: number,
  hash: DataView,
  hashAt: number,
): void {
  out.u16(inbox).u32(index).u8(ENTRY_KIND.sent).u64(counter);
  append(out, hash, hashAt, HASH_BYTES);
}

/** Bytes of a received entry through the blinder. */
const RECEIVED_HEAD = 2 + 4 + 1 + 32 + 8 + 2 + 2 + BLINDER_BYTES;

/** Writes an entry for recipient `position` of the bundle under the cursor; `leaves` null: its only one. The sender is 32 bytes at `senderAt`. */
export function putReceivedEntry(
  out: Writer,
  inbox: number,
  index: number,
  sender: DataView,
  senderAt: number,
  counter: number,
  bundle: BundleView,
  leaves: RecipientLeaves | null,
  position: number,
): void {
  const { view, recipients } = bundle;
  const at = out.grow(RECEIVED_HEAD);
  out.view.setUint16(at, inbox);
  out.view.setUint32(at + 2, index);
  out.view.setUint8(at + 6, ENTRY_KIND.received);
  copy32(sender, senderAt, out.view, at + 7);
  out.view.setUint32(at + 39, Math.floor(counter / 0x1_0000_0000));
  out.view.setUint32(at + 43, counter);
  out.view.setUint16(at + 47, recipients);
  out.view.setUint16(at + 49, position);
  copyShort(view, bundle.blinderAt(position), out.view, at + 51, BLINDER_BYTES);
  if (leaves) putSiblings(out, leaves, recipients, position);
  else out.u8(0);
  const envelopeAt = bundle.envelopeAt(position);
  append(out, view, envelopeAt, 4 + view.getUint32(envelopeAt));
  append(out, view, bundle.bodyAt - 4, 4 + bundle.end - bundle.bodyAt);
}
