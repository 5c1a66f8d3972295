/** Checks a claim as a third party would, who knows the manifest and nothing else. Pure. */
import {
  compareBytes,
  decodeClaim,
  equalBytes,
  FormatError,
  getU16,
  getU32,
  LINK_ENTRY_BYTES,
  LINK_HEADER_BYTES,
  type Manifest,
  type Place,
  ROLE,
  verifyClaim,
} from '../../protocol/index.js';

export interface Witness {
  readonly serverId: Uint8Array;
  readonly manifest: Manifest;
}

const MAILBOX_AT = 9;

/**
 * Verifies the whole claim, from the opened link to the signature under the log, and that the link is the
 * mailbox's and has the message at its place. Throws `FormatError` with the first step that fails.
 */
export function checkClaim(
  claim: Uint8Array,
  { serverId, manifest }: Witness,
  mailbox: Uint8Array,
  place: Place,
  messageHash: Uint8Array,
): void {
  // Of the first version, the manifest's hash is the server id.
  const { attestation, leaf } = verifyClaim(decodeClaim(claim), serverId, manifest, serverId);
  if (attestation.role !== ROLE.outbox) throw new FormatError('claim: not by an outbox');
  if (attestation.epoch !== place.epoch) throw new FormatError('claim: another epoch');
  if (compareBytes(leaf, MAILBOX_AT, mailbox, 0, mailbox.length) !== 0)
    throw new FormatError('claim: another mailbox');
  for (let at = LINK_HEADER_BYTES; at + LINK_ENTRY_BYTES <= leaf.length; at += LINK_ENTRY_BYTES) {
    if (getU16(leaf, at) !== place.inbox || getU32(leaf, at + 2) !== place.index) continue;
    if (equalBytes(leaf.subarray(at + 6, at + LINK_ENTRY_BYTES), messageHash)) return;
  }
  throw new FormatError('claim: the message is not in it');
}
