/** Messages in evidence, and their recipients: the steps that open them. */
import { H, join } from './bytes.js';
import { decodeMessage, type MessageFields } from './decode.js';
import type { Parts, recipient } from './evidence-form.js';
import { decoded, type Known, must } from './evidence-steps.js';
import { rootFromPath } from './merkle.js';
import { recipientLeafHash, recipientPage } from './message.js';

/** A message is a strict preimage with this server's id. Its hash comes with it. */
export function readMessage(known: Known, preimage: Buffer): MessageFields & { hash: Buffer } {
  const fields = decoded('a message', () => decodeMessage(preimage));
  must(fields.serverId.equals(known.serverId), 'the message is to another server');
  return { ...fields, hash: H(preimage) };
}

/** A recipient of a message; its mailbox is bytes 16 to 47 of the leaf. */
export function readRecipient(
  message: MessageFields,
  { position, leaf, siblings }: Parts<typeof recipient>,
): { position: number; mailbox: Buffer } {
  must(position < message.recipients, 'no such position');
  const R = recipientsFrom(message.recipients, position, leaf, siblings);
  must(R?.equals(message.R) === true, 'R comes not from the recipient');
  return { position, mailbox: Buffer.from(leaf.subarray(16, 48)) };
}

/**
 * Siblings: none for 1 recipient; the other leaf hashes in order for 2 to 16; for more, the other leaf
 * hashes of the owner's page of 16 in order, and then the audit path of that page in the tree of pages.
 */
function recipientsFrom(n: number, position: number, leaf: Buffer, siblings: Buffer[]): Buffer | undefined {
  if (n === 1) return siblings.length === 0 ? leaf : undefined;
  const own = recipientLeafHash(leaf);
  const withOwn = (others: Buffer[], at: number) => [...others.slice(0, at), own, ...others.slice(at)];
  if (n <= 16) return siblings.length === n - 1 ? join(...withOwn(siblings, position)) : undefined;
  const page = Math.floor(position / 16);
  const others = Math.min(16, n - 16 * page) - 1;
  if (siblings.length < others) return undefined;
  const pageHash = H(recipientPage(withOwn(siblings.slice(0, others), position % 16)));
  return rootFromPath(BigInt(page), BigInt(Math.ceil(n / 16)), pageHash, siblings.slice(others));
}
