/** Messages in evidence: the preimage of a message hash, and who its recipients are. */
import { sha256 } from '#crypto';
import { LEAF_PREFIX } from '../bundle-layout.js';
import { concat, equalBytes, HASH_BYTES, Reader } from '../bytes.js';
import { expectBytes } from '../expect-bytes.js';
import { fixed, hashes, type Struct, u8, u16 } from '../fields.js';
import { RECIPIENT_PAGE } from '../limits.js';
import { MESSAGE_TAG } from '../message-hash.js';
import { hashedRecipients } from '../recipients.js';
import { must } from './court.js';

const LEAF_BYTES = 80;
const BLINDER_BYTES = 16;
/** `csign1ms` ‖ server id ‖ sender ‖ counter ‖ recipients ‖ R ‖ body hash, with 16 recipients. */
export const MAX_MESSAGE = 8 + 32 + 32 + 8 + 2 + RECIPIENT_PAGE * HASH_BYTES + HASH_BYTES;

/** One recipient, as a delivery shows it: its leaf, and what else of R is needed. */
export const recipientFields = { position: u16, leaf: fixed(LEAF_BYTES), siblings: hashes(u8) };
export type Recipient = Struct<typeof recipientFields>;

export interface OpenedMessage {
  readonly hash: Uint8Array;
  readonly sender: Uint8Array;
  readonly counter: number;
  readonly recipients: number;
  readonly R: Uint8Array;
}

/** Reads the preimage of a message hash. Throws `FormatError` on any other bytes, and on another server's. */
export function openMessage(preimage: Uint8Array, serverId: Uint8Array): OpenedMessage {
  const from = new Reader(preimage);
  expectBytes(from, MESSAGE_TAG, 'message tag');
  must(equalBytes(from.hash(), serverId), 'a message of another server');
  const head = { sender: from.hash(), counter: from.u64(), recipients: from.u16() };
  const R = from.bytes(bytesOfR(head.recipients));
  from.hash();
  from.end();
  return { hash: sha256(preimage), ...head, R };
}

function bytesOfR(recipients: number): number {
  if (recipients === 1) return LEAF_BYTES;
  return recipients <= RECIPIENT_PAGE ? recipients * HASH_BYTES : HASH_BYTES;
}

/** The mailbox of an opened recipient. Throws `FormatError` unless it is one of the message's. */
export function recipientOf(
  { recipients, R }: OpenedMessage,
  { position, leaf, siblings }: Recipient,
): Uint8Array {
  must(position < recipients, 'a recipient beyond their number');
  const found = hashedRecipients(recipients, position, concat(LEAF_PREFIX, leaf), leaf, siblings);
  must(found !== null && equalBytes(found, R), 'no recipient of the message');
  return leaf.subarray(BLINDER_BYTES, BLINDER_BYTES + HASH_BYTES);
}
