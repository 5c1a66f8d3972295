/**
 * The recipients' part of a message hash beyond one recipient: leaf hashes, pages of them, their tree.
 *
 *   leaf  0x00 ‖ csign1rc ‖ blinder 16 ‖ mailbox 32 ‖ envelope hash 32, as it lies in the bundle
 *   page  0x00 ‖ csign1rp ‖ n × leaf hash 32, n ≤ 16
 */
import { sha256Into } from '#crypto';
import { ascii } from './bytes.js';

const RECIPIENT_PAGE_PREFIX = ascii('\0csign1rp');

/** H(0x00 ‖ `csign1rp` ‖ n × 32). */
export function recipientPageInto(leafHashes: Uint8Array, out: Uint8Array, at: number): void {
  const preimage = new Uint8Array(RECIPIENT_PAGE_PREFIX.length + leafHashes.length);
  preimage.set(RECIPIENT_PAGE_PREFIX);
  preimage.set(leafHashes, RECIPIENT_PAGE_PREFIX.length);
  sha256Into(preimage, out, at);
}
