/** The deliver frame (delivery.ts) as fields, for JSON, and how a server writes it. */
import type { BundleView } from './bundle.js';
import { BLINDER_BYTES, BODY_TAG, ENVELOPE_TAG } from './bundle-layout.js';
import { FormatError, getU32, HASH_BYTES, type Writer } from './bytes.js';
import {
  type Deliver,
  type DeliveredEntry,
  type DeliveredMailbox,
  ENTRY_KIND,
  type EpochPart,
  epochPart,
  LOG_MODE,
  type LogProof,
  MAILBOX_KIND,
  readDeliver,
  readEntry,
  readMailbox,
} from './delivery.js';
import {
  checked,
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
} from './fields.js';
import type { FrameWriter } from './frame-writer.js';
import { FRAME } from './frames.js';
import type { RecipientTree } from './recipient-tree.js';

const logProof: Field<LogProof> = tagged({}, 'mode', {
  [LOG_MODE.extend]: { logIndex: u64, from: u64, signature, gap: hashes(u8) },
  [LOG_MODE.under]: { logIndex: u64, size: u64, path: hashes(u8) },
});

const entry: Field<DeliveredEntry> = {
  ...tagged({ inbox: u16, index: u32 }, 'kind', {
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
  }),
  read: readEntry,
};

function notEmpty<T>(items: Field<readonly T[]>, what: string): Field<readonly T[]> {
  return checked(items, ({ length }) => {
    if (length === 0) throw new FormatError(`${what} expected`);
  });
}

const mailbox: Field<DeliveredMailbox> = {
  ...(tagged({ slot: u16, position: u32 }, 'kind', {
    [MAILBOX_KIND.link]: { entries: notEmpty(list(u32, entry), 'an entry') },
    [MAILBOX_KIND.still]: { trimmedThrough: u64 },
  }) as Field<DeliveredMailbox>),
  read: readMailbox,
};

export const deliver: Field<Deliver> = {
  ...struct({
    proof: logProof,
    epoch: epochPart,
    mailboxes: notEmpty(list(u16, mailbox), 'a mailbox'),
    multiproof: hashes(u32),
  }),
  read: readDeliver,
};

/** Type, log proof and epoch part: what starts a frame. The mailbox count follows. */
export function putDeliverHead(out: Writer, proof: LogProof, epoch: EpochPart): void {
  out.u8(FRAME.deliver);
  logProof.write(out, proof);
  epochPart.write(out, epoch);
}

export function putSentEntry(
  out: FrameWriter,
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
  out: FrameWriter,
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
