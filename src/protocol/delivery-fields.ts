/** The deliver frame (delivery.ts) as fields, for JSON, and how a server writes it. */
import type { BundleView } from './bundle.js';
import { BLINDER_BYTES, BODY_TAG, ENVELOPE_TAG } from './bundle-layout.js';
import { copy32, copyShort, FormatError, HASH_BYTES, type Writer } from './bytes.js';
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
import { putSiblings, type RecipientLeaves } from './recipient-tree.js';

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
  hash: DataView,
  hashAt: number,
): void {
  out.u16(inbox).u32(index).u8(ENTRY_KIND.sent).u64(counter);
  out.append(hash, hashAt, HASH_BYTES);
}

/** Bytes of a received entry through the blinder. */
const RECEIVED_HEAD = 2 + 4 + 1 + 32 + 8 + 2 + 2 + BLINDER_BYTES;

/** Writes an entry for recipient `position` of the bundle under the cursor; `leaves` null: its only one. The sender is 32 bytes at `senderAt`. */
export function putReceivedEntry(
  out: FrameWriter,
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
  out.append(view, envelopeAt, 4 + view.getUint32(envelopeAt));
  out.append(view, bundle.bodyAt - 4, 4 + bundle.end - bundle.bodyAt);
}
