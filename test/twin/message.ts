/** A message: its body, its recipients and the hash that stands for it everywhere. */
import { ascii, fixed, H, join, mustRise, partsOf, u8, u16, u64, ZERO_32 } from './bytes.js';
import { root } from './merkle.js';

export interface Recipient {
  mailbox: Buffer;
  blinder: Buffer;
  envelope: Buffer;
}

export interface Message {
  sender: Buffer;
  counter: bigint;
  recipients: Recipient[];
  body: Buffer;
}

/** body hash = H(`csign1bo` ‖ body) */
export function bodyHash(body: Uint8Array): Buffer {
  return H(ascii('csign1bo'), body);
}

/** envelope hash = H(`csign1en` ‖ envelope), 32 zero bytes when the envelope is empty */
export function envelopeHash(envelope: Uint8Array): Buffer {
  if (envelope.length === 0) return ZERO_32;
  return H(ascii('csign1en'), envelope);
}

/** blinder = first 16 bytes of H(`csign1bl` ‖ roster key 32 ‖ mailbox 32) */
export function blinder(rosterKey: Uint8Array, mailbox: Uint8Array): Buffer {
  return H(ascii('csign1bl'), fixed(32, rosterKey), fixed(32, mailbox)).subarray(0, 16);
}

/** recipient leaf = blinder 16 ‖ mailbox 32 ‖ envelope hash 32: 80 bytes */
export function recipientLeaf(recipient: Recipient): Buffer {
  return join(fixed(16, recipient.blinder), fixed(32, recipient.mailbox), envelopeHash(recipient.envelope));
}

/** recipient leaf hash = H(0x00 ‖ `csign1rc` ‖ recipient leaf 80) */
export function recipientLeafHash(leaf: Uint8Array): Buffer {
  return H(u8(0x00), ascii('csign1rc'), fixed(80, leaf));
}

/** recipient page = 0x00 ‖ `csign1rp` ‖ up to 16 leaf hashes */
export function recipientPage(leafHashes: Buffer[]): Buffer {
  return join(u8(0x00), ascii('csign1rp'), ...leafHashes);
}

/**
 * R = the 80 leaf bytes of a single recipient;
 *     the 2 to 16 leaf hashes one after the other;
 *     beyond, the root over pages of up to 16 leaf hashes
 */
export function recipientsPart(recipients: Recipient[]): Buffer {
  if (recipients.length === 0) throw new Error('a message has one recipient or more');
  mustRise('recipients', recipients, (a, b) => Buffer.compare(a.mailbox, b.mailbox));
  const leaves = recipients.map(recipientLeaf);
  if (leaves.length === 1) return leaves[0]!;
  const leafHashes = leaves.map(recipientLeafHash);
  if (leafHashes.length <= 16) return join(...leafHashes);
  const pages = partsOf(16, leafHashes).map(recipientPage);
  return root(pages.map((page) => H(page)));
}

/**
 * message hash = H(`csign1ms` ‖ server id 32 ‖ sender 32 ‖ counter 8 ‖ recipient count 2 ‖ R
 *                  ‖ body hash 32)
 */
export function messageHash(serverId: Uint8Array, message: Message): Buffer {
  return H(
    ascii('csign1ms'),
    fixed(32, serverId),
    fixed(32, message.sender),
    u64(message.counter),
    u16(message.recipients.length),
    recipientsPart(message.recipients),
    bodyHash(message.body),
  );
}
