/** The message hash of a received entry, from what the recipient alone is shown of the recipients. */

import { sha256, sha256Into } from '#crypto';
import {
  BLINDER_BYTES,
  concat,
  ENTRY_BLINDER_AT,
  HASH_BYTES,
  isBodyPart,
  isEnvelopePart,
  leafBytes,
  leafPart,
  type MessageHasher,
  RECIPIENT_PAGE,
  type ReceivedEntry,
  recipientPageInto,
  rootFromPath,
} from '../protocol/index.js';
import { Mismatch } from './verification-error.js';

/** Writes the hash of `entry`, as `mailbox` received it, to `out` at `at`. Throws `Mismatch`. */
export function receivedHashInto(
  hasher: MessageHasher,
  mailbox: Uint8Array,
  entry: ReceivedEntry,
  out: Uint8Array,
  at: number,
): void {
  const { recipients, position, body, envelope } = entry;
  if (position >= recipients) throw new Mismatch('entry', 'position out of range');
  if (!isBodyPart(body) || !isEnvelopePart(envelope)) throw new Mismatch('entry', 'part tag expected');
  putLeaf(entry, mailbox);
  hasher.sender(entry.bytes, entry.at);
  const R = recipients === 1 ? onlyRecipient(entry) : severalRecipients(entry, sha256(leaf));
  hasher.withR(entry.counter, recipients, R, body, out, at);
}

/** The leaf part being hashed: one for all, because a small array of its own costs more than its hash. */
const leaf = leafPart(new Uint8Array(BLINDER_BYTES), new Uint8Array(HASH_BYTES), new Uint8Array(0));
const leafContent = leafBytes(leaf);
const ENVELOPE_HASH_AT = BLINDER_BYTES + HASH_BYTES;

function putLeaf({ bytes, at, envelope }: ReceivedEntry, mailbox: Uint8Array): void {
  for (let i = 0; i < BLINDER_BYTES; i++) leafContent[i] = bytes[at + ENTRY_BLINDER_AT + i]!;
  for (let i = 0; i < HASH_BYTES; i++) leafContent[BLINDER_BYTES + i] = mailbox[i]!;
  if (envelope.length > 0) sha256Into(envelope, leafContent, ENVELOPE_HASH_AT);
  else leafContent.fill(0, ENVELOPE_HASH_AT);
}

function onlyRecipient(entry: ReceivedEntry): Uint8Array {
  if (entry.siblings.length !== 0) throw new Mismatch('entry', 'siblings miscounted');
  return leafContent;
}

/** The leaf hashes for 2 to 16 recipients; beyond, the root over their pages. */
function severalRecipients(entry: ReceivedEntry, own: Uint8Array): Uint8Array {
  const { recipients, position, siblings } = entry;
  const page = recipients <= RECIPIENT_PAGE ? 0 : Math.floor(position / RECIPIENT_PAGE);
  const from = page * RECIPIENT_PAGE;
  const others = Math.min(RECIPIENT_PAGE, recipients - from) - 1;
  const before = (position - from) * HASH_BYTES;
  const listed = others * HASH_BYTES;
  if (siblings.length < listed) throw new Mismatch('entry', 'siblings miscounted');
  const leaves = concat(siblings.subarray(0, before), own, siblings.subarray(before, listed));
  if (recipients <= RECIPIENT_PAGE) {
    if (siblings.length !== listed) throw new Mismatch('entry', 'siblings miscounted');
    return leaves;
  }
  const pageHash = new Uint8Array(HASH_BYTES);
  recipientPageInto(leaves, pageHash, 0);
  return rootFromPath(Math.ceil(recipients / RECIPIENT_PAGE), page, pageHash, siblings.subarray(listed));
}
