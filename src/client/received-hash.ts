/** The message hash of a received entry, from what the recipient alone is shown of the recipients. */

import { sha256Into } from '#crypto';
import {
  BLINDER_BYTES,
  copyHash,
  ENTRY_BLINDER_AT,
  emptyLeafPart,
  HASH_BYTES,
  hashedRecipients,
  isBodyPart,
  isEnvelopePart,
  leafBytes,
  type MessageHasher,
  type ReceivedEntry,
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
  if (position >= recipients) throw new Mismatch('entry', 'index out of range');
  if (!isBodyPart(body) || !isEnvelopePart(envelope)) throw new Mismatch('entry', 'part tag expected');
  putLeaf(entry, mailbox);
  const R = hashedRecipients(recipients, position, leaf, leafContent, entry.siblings);
  if (!R) throw new Mismatch('entry', 'siblings: wrong length');
  hasher.sender(entry.bytes, entry.at);
  hasher.withR(entry.counter, recipients, R, body, out, at);
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
