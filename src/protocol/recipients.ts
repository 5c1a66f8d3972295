/**
 * The recipients' part of a message hash beyond one recipient: leaf hashes, pages of them, their tree.
 *
 *   leaf  0x00 ‖ csign1rc ‖ blinder 16 ‖ mailbox 32 ‖ envelope hash 32, as it lies in the bundle
 *   page  0x00 ‖ csign1rp ‖ n × leaf hash 32, n ≤ 16
 */
import { sha256, sha256Into } from '#crypto';
import { ascii, concat, HASH_BYTES } from './bytes.js';
import { RECIPIENT_PAGE } from './limits.js';
import { rootFromPath } from './merkle.js';

export const RECIPIENT_PAGE_PREFIX = ascii('\0csign1rp');

/** One for all calls: an array of its own for each would cost more than its hash. */
const scratch = new Uint8Array(RECIPIENT_PAGE * HASH_BYTES);

/**
 * R, from the leaf of one recipient (its part, and the 80 bytes of it) and its siblings, packed: the leaf itself; the
 * leaf hashes for 2 to 16; beyond, the root over their pages. It holds until the next call. Null when they are miscounted.
 * Throws `FormatError` on a path of the wrong length.
 */
export function hashedRecipients(
  recipients: number,
  position: number,
  part: Uint8Array,
  leaf: Uint8Array,
  siblings: Uint8Array,
): Uint8Array | null {
  const isListed = recipients <= RECIPIENT_PAGE;
  const page = isListed ? 0 : Math.floor(position / RECIPIENT_PAGE);
  const from = page * RECIPIENT_PAGE;
  const before = (position - from) * HASH_BYTES;
  const listed = (Math.min(RECIPIENT_PAGE, recipients - from) - 1) * HASH_BYTES;
  if (siblings.length < listed || (isListed && siblings.length > listed)) return null;
  if (recipients === 1) return leaf;
  scratch.set(siblings.subarray(0, listed));
  scratch.copyWithin(before + HASH_BYTES, before, listed);
  sha256Into(part, scratch, before);
  const leaves = scratch.subarray(0, listed + HASH_BYTES);
  if (isListed) return leaves;
  const pageHash = sha256(concat(RECIPIENT_PAGE_PREFIX, leaves));
  return rootFromPath(Math.ceil(recipients / RECIPIENT_PAGE), page, pageHash, siblings.subarray(listed));
}
