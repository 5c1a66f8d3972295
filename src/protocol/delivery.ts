/**
 * The deliver frame: one epoch's content of one or more mailboxes with everything a client needs to
 * rebuild whole claims. What the client derives is left out: roots, heads, mailbox ids, positions of
 * later parts, the checkpoint's root.
 *
 * Its fields are those that are read here, in that order: by hand, as there is an entry for every message. How
 * they are written, and stand in JSON, is in delivery-fields.ts.
 */
import { BLINDER_BYTES } from './bundle-layout.js';
import { FormatError, HASH_BYTES, Reader, SIGNATURE_BYTES } from './bytes.js';
import { hash, hashes, signature, struct, u8, u32, u64, type ValueOf } from './fields.js';
import { FRAME, frameType } from './frames.js';

export const LOG_MODE = { extend: 0, under: 1 } as const;
export const MAILBOX_KIND = { link: 1, still: 2 } as const;
export const ENTRY_KIND = { sent: 1, received: 2 } as const;

/**
 * Extend: the subtrees between the client's checkpoint of size `from` and this leaf; the new checkpoint
 * ends with the leaf. Under: the audit path under the checkpoint of that size.
 */
function readLogProof(from: Reader) {
  const mode = from.u8();
  const logIndex = from.u64();
  const size = from.u64();
  if (mode === LOG_MODE.under) return { mode, logIndex, size, path: from.hashes(from.u8()) };
  if (mode !== LOG_MODE.extend) throw unknown('mode', mode);
  const signature = from.bytes(SIGNATURE_BYTES);
  return { mode, logIndex, from: size, signature, gap: from.hashes(from.u8()) };
}
export type LogProof = Readonly<ReturnType<typeof readLogProof>>;

/** What is equal for all mailboxes of an outbox in one epoch; the path is that of the outbox's attestation. */
export const epochPart = struct({
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

/** Behind sender, counter, recipients and position. */
export const ENTRY_BLINDER_AT = HASH_BYTES + 8 + 2 + 2;

/** Views of an entry's bytes are made when they are asked for, as verifying needs few. */
export class SentEntry {
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

/**
 * Siblings: none for one recipient; the other leaf hashes in order for 2 to 16; beyond, the other leaf
 * hashes of the own page, then the audit path of that page. Envelope and body are their parts, with tags;
 * an empty envelope has none.
 */
export class ReceivedEntry {
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
export type DeliveredEntry = SentEntry | ReceivedEntry;

export function readEntry(from: Reader): DeliveredEntry {
  const inbox = from.u16();
  const index = from.u32();
  const kind = from.u8();
  if (kind === ENTRY_KIND.sent) return new SentEntry(inbox, index, from);
  if (kind === ENTRY_KIND.received) return new ReceivedEntry(inbox, index, from);
  throw unknown('entry kind', kind);
}

/** Position: of the mailbox's first leaf. */
export function readMailbox(from: Reader) {
  const slot = from.u16();
  const position = from.u32();
  const kind = from.u8();
  if (kind === MAILBOX_KIND.link)
    return { slot, position, kind, entries: some(from.u32(), 'an entry', from, readEntry) };
  if (kind === MAILBOX_KIND.still) return { slot, position, kind, trimmedThrough: from.u64() };
  throw unknown('mailbox kind', kind);
}
export type DeliveredMailbox = Readonly<ReturnType<typeof readMailbox>>;

/** The multiproof leads from all leaves of the frame to the outbox's output (merkle.ts). */
export function readDeliver(from: Reader) {
  return {
    proof: readLogProof(from) as LogProof,
    epoch: epochPart.read(from),
    mailboxes: some(from.u16(), 'a mailbox', from, readMailbox) as readonly DeliveredMailbox[],
    multiproof: from.hashes(from.u32()),
  };
}
export type Deliver = Readonly<ReturnType<typeof readDeliver>>;

const unknown = (what: string, value: number) => new FormatError(`${what}: ${value} is not known`);

/** Items are not allocated beforehand: a false count gets no further than the bytes do. */
function some<T>(count: number, what: string, from: Reader, read: (from: Reader) => T): T[] {
  if (count === 0) throw new FormatError(`${what} expected`);
  const items: T[] = [];
  for (let left = count; left > 0; left--) items.push(read(from));
  return items;
}

/** Throws `FormatError` on any bytes that are not exactly one deliver frame. Views, not copies. */
export function decodeDeliver(frame: Uint8Array): Deliver {
  if (frameType(frame) !== FRAME.deliver) throw new FormatError('not a deliver frame');
  const reader = new Reader(frame, 1);
  const deliver = readDeliver(reader);
  reader.end();
  return deliver;
}
