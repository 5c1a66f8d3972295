/** What one delivered entry carries, and the parts of the deliver frame around it. */
import { ascii, fixed, H, join, partsOf, u8, u16, u32, u64 } from './bytes.js';
import { inclusionPath } from './merkle.js';
import { type Message, recipientLeaf, recipientLeafHash, recipientPage } from './message.js';

/** hashes = number 1 ‖ hashes */
export function hashList(hashes: Buffer[]): Buffer {
  return join(u8(hashes.length), ...hashes.map((hash) => fixed(32, hash)));
}

/**
 * What the recipient at `position` needs to rebuild R: nothing when alone; the other leaf hashes of up
 * to 16; beyond, the other leaf hashes of its page and the path of the page.
 */
export function siblings(message: Message, position: number): Buffer[] {
  const leafHashes = message.recipients.map((recipient) => recipientLeafHash(recipientLeaf(recipient)));
  const pages = partsOf(16, leafHashes);
  const page = Math.floor(position / 16);
  const others = pages[page]!.filter((_, i) => i !== position % 16);
  if (leafHashes.length <= 16) return others;
  const pageHashes = pages.map((part) => H(recipientPage(part)));
  return [...others, ...inclusionPath(page, pageHashes)];
}

/** sent entry = inbox 2 ‖ index 4 ‖ 1 ‖ counter 8 ‖ message hash 32 */
export function sentEntry(inbox: number, index: number, counter: bigint, messageHash: Buffer): Buffer {
  return join(u16(inbox), u32(index), u8(1), u64(counter), fixed(32, messageHash));
}

/**
 * received entry = inbox 2 ‖ index 4 ‖ 2 ‖ sender 32 ‖ counter 8 ‖ recipients 2 ‖ position 2
 *                  ‖ blinder 16 ‖ siblings ‖ envelope part ‖ body part
 */
export function receivedEntry(inbox: number, index: number, message: Message, position: number): Buffer {
  const { blinder, envelope } = message.recipients[position]!;
  return join(
    u16(inbox),
    u32(index),
    u8(2),
    fixed(32, message.sender),
    u64(message.counter),
    u16(message.recipients.length),
    u16(position),
    fixed(16, blinder),
    hashList(siblings(message, position)),
    envelopePart(envelope),
    bodyPart(message.body),
  );
}

/** envelope part = length 4 ‖ `csign1en` ‖ envelope; the length counts the tag; length 0 alone if empty */
export function envelopePart(envelope: Buffer): Buffer {
  if (envelope.length === 0) return u32(0);
  return join(u32(8 + envelope.length), ascii('csign1en'), envelope);
}

/** body part = length 4 ‖ `csign1bo` ‖ body; the length counts the tag */
export function bodyPart(body: Buffer): Buffer {
  return join(u32(8 + body.length), ascii('csign1bo'), body);
}

/**
 * bundle = recipients 2 ‖ recipients × (0x00 ‖ `csign1rc` ‖ recipient leaf 80)
 *          ‖ recipients × envelope part ‖ body part
 */
export function bundleBytes(message: Message): Buffer {
  const { recipients, body } = message;
  return join(
    u16(recipients.length),
    ...recipients.map((recipient) => join(u8(0x00), ascii('csign1rc'), recipientLeaf(recipient))),
    ...recipients.map((recipient) => envelopePart(recipient.envelope)),
    bodyPart(body),
  );
}
