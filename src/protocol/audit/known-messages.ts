/** Messages of an epoch of which the bundles are still kept: they are what their inboxes signed, and say who they are for. */
import { sha256 } from '#crypto';
import { LEAF_PREFIX } from '../bundle-layout.js';
import { compareBytes, concat, FormatError, getU16, getU64, sameBytes, viewOf } from '../bytes.js';
import type { Recipient } from '../evidence/message.js';
import { FrameWriter } from '../frame-writer.js';
import { RECIPIENT_PAGE } from '../limits.js';
import { merkleRoot } from '../merkle-tree.js';
import { COUNT_AT, COUNTER_AT, MESSAGE_TAG, R_AT, SENDER_AT, SERVER_AT } from '../message-hash.js';
import {
  INBOX_ROW_BYTES,
  ITEM_HASH_AT,
  ITEM_INBOX_AT,
  ITEM_INDEX_AT,
  ITEM_ROW_BYTES,
  rowAt,
} from '../pages.js';
import { formatPlace } from '../place.js';
import { pagesTree, putSiblings, recipientPages } from '../recipient-tree.js';
import { entriesCase } from './entries.js';
import { type ItemList, sorted } from './items.js';
import type { KeptMessage } from './source.js';
import type { EpochView, InboxRows, Lists } from './view.js';

const LEAF_BYTES = 80;
const MAILBOX_AT = 16;

/** A message that is kept and is the one that its inbox signed. */
export class Known {
  readonly recipients: number;
  /** `hash`: of the preimage. `leaves`: the recipients', packed. */
  constructor(
    readonly preimage: Uint8Array,
    readonly hash: Uint8Array,
    readonly leaves: Uint8Array,
  ) {
    this.recipients = getU16(preimage, COUNT_AT);
  }

  get sender(): Uint8Array {
    return this.preimage.subarray(SENDER_AT, SENDER_AT + 32);
  }

  isFrom(mailbox: Uint8Array): boolean {
    return sameBytes(this.preimage, SENDER_AT, mailbox, 0, 32);
  }
}

/** By inbox and index. */
export type KnownMessages = readonly ReadonlyMap<number, Known>[];

const mailboxOf = ({ leaves }: Known, i: number) =>
  leaves.subarray(i * LEAF_BYTES + MAILBOX_AT, i * LEAF_BYTES + MAILBOX_AT + 32);

export function readMessages(view: EpochView, inboxes: Lists['inboxes']): KnownMessages {
  const known = inboxes.map(() => new Map<number, Known>());
  for (const share of view.kept.outboxes) {
    if ('unreadable' in share) continue;
    for (const message of share.messages) {
      const rows = inboxes[message.inbox];
      if (!rows) continue;
      try {
        const opened = openKept(view, rows, message);
        known[message.inbox]!.set(message.index, opened);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        tell(view, message, error.message);
      }
    }
  }
  return known;
}

function tell({ kept, report }: EpochView, { inbox, index }: KeptMessage, what: string): void {
  const place = { epoch: kept.epoch, inbox, index };
  const text = `the message that is kept of ${formatPlace(place)} ${what}`;
  const proof = (prover: Parameters<typeof entriesCase>[0]) => entriesCase(prover, kept, [place]);
  report({ kind: 'message', who: `inbox ${inbox}`, text, proof });
}

/** Throws `FormatError` saying what is wrong with it. */
function openKept({ world }: EpochView, { count, pages, senders }: InboxRows, message: KeptMessage): Known {
  const { index, preimage, recipients: leaves } = message;
  if (index >= count) throw new FormatError(`is none of its inbox’s ${count}`);
  const isOurs =
    preimage.length > R_AT &&
    sameBytes(preimage, 0, MESSAGE_TAG, 0, SERVER_AT) &&
    sameBytes(preimage, SERVER_AT, world.serverId, 0, 32);
  if (!isOurs) throw new FormatError('is no message to this server');
  const hash = sha256(preimage);
  if (!sameBytes(hash, 0, pages, rowAt(index, INBOX_ROW_BYTES), 32))
    throw new FormatError('has another hash than its inbox signed');
  const known = new Known(preimage, hash, leaves);
  const isSenders =
    !senders ||
    (known.isFrom(senders.sender(index)) && senders.counter(index) === getU64(preimage, COUNTER_AT));
  if (!isSenders) throw new FormatError('is of another sender or counter than its inbox keeps');
  const R = hashedLeaves(known);
  if (preimage.length !== R_AT + R.length + 32 || !sameBytes(preimage, R_AT, R, 0, R.length))
    throw new FormatError('has other recipients than its hash');
  for (let i = 1; i < known.recipients; i++)
    if (compareBytes(leaves, (i - 1) * LEAF_BYTES + MAILBOX_AT, leaves, i * LEAF_BYTES + MAILBOX_AT, 32) >= 0)
      throw new FormatError('has recipients that do not rise');
  return known;
}

/** R of the message hash, from the recipients. */
function hashedLeaves({ recipients, leaves }: Known): Uint8Array {
  if (recipients === 0 || leaves.length !== recipients * LEAF_BYTES)
    throw new FormatError('has another number of recipients');
  if (recipients === 1) return leaves;
  const hashes = leafHashes(leaves);
  return recipients <= RECIPIENT_PAGE ? hashes : merkleRoot(recipientPages(hashes, recipients));
}

function leafHashes(leaves: Uint8Array): Uint8Array {
  const hashes = new Uint8Array((leaves.length / LEAF_BYTES) * 32);
  for (let i = 0; i < hashes.length / 32; i++)
    hashes.set(sha256(concat(LEAF_PREFIX, leaves.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES))), i * 32);
  return hashes;
}

/** A recipient as evidence shows it. */
export function recipientAt({ recipients, leaves }: Known, position: number): Recipient {
  const leaf = leaves.slice(position * LEAF_BYTES, (position + 1) * LEAF_BYTES);
  if (recipients === 1) return { position, leaf, siblings: new Uint8Array(0) };
  const hashes = leafHashes(leaves);
  const out = new FrameWriter();
  const pages = recipients > RECIPIENT_PAGE ? pagesTree(hashes) : null;
  putSiblings(out, { view: viewOf(hashes), at: 0, pages }, recipients, position);
  return { position, leaf, siblings: out.done().slice(1) };
}

/** Position of the first recipient whose mailbox is not below this one. */
export function recipientFrom(known: Known, mailbox: Uint8Array): number {
  let [low, high] = [0, known.recipients];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes(known.leaves, middle * LEAF_BYTES + MAILBOX_AT, mailbox, 0, 32) >= 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function isRecipient(known: Known, mailbox: Uint8Array): boolean {
  const position = recipientFrom(known, mailbox);
  return (
    position < known.recipients && sameBytes(known.leaves, position * LEAF_BYTES + MAILBOX_AT, mailbox, 0, 32)
  );
}

export const isFor = (known: Known, mailbox: Uint8Array) =>
  known.isFrom(mailbox) || isRecipient(known, mailbox);

/** How many mailboxes a message is for. */
export function mailboxCount(known: Known): number {
  return known.recipients + (isRecipient(known, known.sender) ? 0 : 1);
}

/** Mailboxes that a message is for: recipients, and the sender. */
export function mailboxesOf(known: Known): Uint8Array[] {
  const all = Array.from({ length: known.recipients }, (_, i) => mailboxOf(known, i));
  return isRecipient(known, known.sender) ? all : [...all, known.sender];
}

/** What the router has for an outbox when it passes on what its inbox took; null where not all messages are known. */
export function expectedItems(
  { world, manifest }: EpochView,
  inbox: number,
  outbox: number,
  count: number,
  known: ReadonlyMap<number, Known>,
): ItemList | null {
  if (known.size < count) return null;
  const rows: Uint8Array[] = [];
  for (const [index, message] of known) {
    for (const mailbox of mailboxesOf(message)) {
      if (world.placed(manifest, mailbox).outbox !== outbox) continue;
      const row = new Uint8Array(ITEM_ROW_BYTES);
      row.set(mailbox);
      viewOf(row).setUint16(ITEM_INBOX_AT, inbox);
      viewOf(row).setUint32(ITEM_INDEX_AT, index);
      row.set(message.hash, ITEM_HASH_AT);
      rows.push(row);
    }
  }
  return sorted(rows);
}
