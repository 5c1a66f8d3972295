/** The message hash of a received entry, from what the recipient alone is shown of the recipients. */

import { sha256 } from '#crypto';
import {
  concat,
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
  const { recipients, position, bodyPart, envelopePart } = entry;
  if (position >= recipients) throw new Mismatch('entry', 'recipient position out of range');
  if (!isBodyPart(bodyPart) || !isEnvelopePart(envelopePart))
    throw new Mismatch('entry', 'part tag expected');
  const leaf = leafPart(entry.blinder, mailbox, envelopePart);
  hasher.sender(entry.sender, 0);
  const R = recipients === 1 ? onlyRecipient(entry, leaf) : severalRecipients(entry, sha256(leaf));
  hasher.withR(entry.counter, recipients, R, bodyPart, 0, bodyPart.length, out, at);
}

function onlyRecipient(entry: ReceivedEntry, leaf: Uint8Array): Uint8Array {
  if (entry.siblings.length !== 0) throw new Mismatch('entry', 'a single recipient has no siblings');
  return leafBytes(leaf);
}

/** The leaf hashes for 2 to 16 recipients; beyond, the root over their pages. */
function severalRecipients(entry: ReceivedEntry, own: Uint8Array): Uint8Array {
  const { recipients, position, siblings } = entry;
  const page = recipients <= RECIPIENT_PAGE ? 0 : Math.floor(position / RECIPIENT_PAGE);
  const from = page * RECIPIENT_PAGE;
  const others = Math.min(RECIPIENT_PAGE, recipients - from) - 1;
  const before = (position - from) * HASH_BYTES;
  const listed = others * HASH_BYTES;
  if (siblings.length < listed) throw new Mismatch('entry', 'too few siblings');
  const leaves = concat(siblings.subarray(0, before), own, siblings.subarray(before, listed));
  if (recipients <= RECIPIENT_PAGE) {
    if (siblings.length !== listed) throw new Mismatch('entry', 'too many siblings');
    return leaves;
  }
  const pageHash = new Uint8Array(HASH_BYTES);
  recipientPageInto(leaves, pageHash, 0);
  return rootFromPath(Math.ceil(recipients / RECIPIENT_PAGE), page, pageHash, siblings.subarray(listed));
}
