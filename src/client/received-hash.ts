/** The message hash of a received entry, from what the recipient alone is shown of the recipients. */

import { sha256, sha256Into } from '#crypto';
import {
  BLINDER_BYTES,
  concat,
  copyHash,
  ENTRY_BLINDER_AT,
  emptyLeafPart,
  HASH_BYTES,
  isBodyPart,
  isEnvelopePart,
  leafBytes,
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
  hasher.withR(entry.counter, recipients, hashedRecipients(entry), body, out, at);
}

/** The leaf part being hashed: one for all, because a small array of its own costs more than its hash. */
const leaf = emptyLeafPart();
const leafContent = leafBytes(leaf);
const ENVELOPE_HASH_AT = BLINDER_BYTES + HASH_BYTES;

function putLeaf({ bytes, at, envelope }: ReceivedEntry, mailbox: Uint8Array): void {
  for (let i = 0; i < BLINDER_BYTES; i++) leafContent[i] = bytes[at + ENTRY_BLINDER_AT + i]!;
  copyHash(mailbox, 0, leafContent, BLINDER_BYTES);
  if (envelope.length > 0) sha256Into(envelope, leafContent, ENVELOPE_HASH_AT);
  else leafContent.fill(0, ENVELOPE_HASH_AT);
}

/** R: the leaf itself; the leaf hashes for 2 to 16 recipients; beyond, the root over their pages. */
function hashedRecipients({ recipients, position, siblings }: ReceivedEntry): Uint8Array {
  const isListed = recipients <= RECIPIENT_PAGE;
  const page = isListed ? 0 : Math.floor(position / RECIPIENT_PAGE);
  const from = page * RECIPIENT_PAGE;
  const before = (position - from) * HASH_BYTES;
  const listed = (Math.min(RECIPIENT_PAGE, recipients - from) - 1) * HASH_BYTES;
  if (siblings.length < listed || (isListed && siblings.length > listed))
    throw new Mismatch('entry', 'siblings miscounted');
  if (recipients === 1) return leafContent;
  const leaves = concat(siblings.subarray(0, before), sha256(leaf), siblings.subarray(before, listed));
  if (isListed) return leaves;
  const pageHash = new Uint8Array(HASH_BYTES);
  recipientPageInto(leaves, pageHash, 0);
  return rootFromPath(Math.ceil(recipients / RECIPIENT_PAGE), page, pageHash, siblings.subarray(listed));
}
