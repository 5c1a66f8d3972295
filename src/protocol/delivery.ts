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
import { FormatError, getU32, HASH_BYTES, type Reader, type Writer } from './bytes.js';
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
import type { RecipientTree } from './recipients.js';

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

/** Behind sender, counter, recipients and position. */
export const ENTRY_BLINDER_AT = HASH_BYTES + 8 + 2 + 2;

/** Entries as a frame is read: views of their bytes are made when they are asked for, as verifying needs few. */
export class SentInFrame implements SentEntry {
  readonly kind = ENTRY_KIND.sent;
  readonly bytes: Uint8Array;
  readonly counter: number;
  /** Of the hash. */
  readonly at: number;

  constructor(
    readonly inbox: number,
    readonly index: number,
    from: Reader,
  ) {
    this.bytes = from.data;
    this.counter = from.u64();
    this.at = from.take(HASH_BYTES);
  }

  get messageHash(): Uint8Array {
    return this.bytes.subarray(this.at, this.at + HASH_BYTES);
  }
}

export class ReceivedInFrame implements ReceivedEntry {
  readonly kind = ENTRY_KIND.received;
  readonly bytes: Uint8Array;
  /** Of the sender. */
  readonly at: number;
  readonly counter: number;
  readonly recipients: number;
  readonly position: number;
  readonly siblings: Uint8Array;
  readonly envelope: Uint8Array;
  readonly body: Uint8Array;

  constructor(
    readonly inbox: number,
    readonly index: number,
    from: Reader,
  ) {
    this.bytes = from.data;
    this.at = from.take(HASH_BYTES);
    this.counter = from.u64();
    this.recipients = from.u16();
    this.position = from.u16();
    from.take(BLINDER_BYTES);
    this.siblings = from.hashes(from.u8());
    this.envelope = from.bytes(from.u32());
    this.body = from.bytes(from.u32());
  }

  get sender(): Uint8Array {
    return this.bytes.subarray(this.at, this.at + HASH_BYTES);
  }

  get blinder(): Uint8Array {
    return this.bytes.subarray(this.at + ENTRY_BLINDER_AT, this.at + ENTRY_BLINDER_AT + BLINDER_BYTES);
  }
}

/** Read by hand, because this is once per message. */
const entry: Field<SentInFrame | ReceivedInFrame> = { ...entryFields, read: readEntry };

function readEntry(from: Reader): SentInFrame | ReceivedInFrame {
  const inbox = from.u16();
  const index = from.u32();
  const kind = from.u8();
  if (kind === ENTRY_KIND.sent) return new SentInFrame(inbox, index, from);
  if (kind === ENTRY_KIND.received) return new ReceivedInFrame(inbox, index, from);
  throw new FormatError(`unknown entry kind ${kind}`);
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
  bundle: BundleView,
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
