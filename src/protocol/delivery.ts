/**
 * The deliver frame: one epoch's content of one or more mailboxes with everything a client needs to
 * rebuild whole claims. What the client derives is left out: roots, heads, mailbox ids, positions of
 * later parts, the checkpoint's root.
 *
 * Its fields are those that are read here, in that order: by hand, as there is an entry for every message. How
 * they are written, and stand in JSON, is in delivery-fields.ts.
 */
import { BLINDER_BYTES } from './bundle-layout.js';
import { FormatError, Reader, SIGNATURE_BYTES } from './bytes.js';
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

/**
 * Siblings: none for one recipient; the other leaf hashes in order for 2 to 16; beyond, the other leaf
 * hashes of the own page, then the audit path of that page. Envelope and body are their parts, with tags;
 * an empty envelope has none.
 */
export function readEntry(from: Reader) {
  const inbox = from.u16();
  const index = from.u32();
  const kind = from.u8();
  if (kind === ENTRY_KIND.sent) return { inbox, index, kind, counter: from.u64(), messageHash: from.hash() };
  if (kind !== ENTRY_KIND.received) throw unknown('entry kind', kind);
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
export type DeliveredEntry = Readonly<ReturnType<typeof readEntry>>;
export type SentEntry = Extract<DeliveredEntry, { kind: typeof ENTRY_KIND.sent }>;
export type ReceivedEntry = Extract<DeliveredEntry, { kind: typeof ENTRY_KIND.received }>;

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
