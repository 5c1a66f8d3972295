/** What the claims of an opening show of the item that was asked for: that it is there, or that it is not. */
import { ROLE, type Role } from './attestation.js';
import { equalBytes, FormatError } from './bytes.js';
import { decodeClaim, type Statement, verifyClaimAmong } from './claim.js';
import { must } from './evidence/court.js';
import { isHandedOver } from './evidence/handed.js';
import { shownAt } from './evidence/witness.js';
import { inForceAt, openManifests, type SignedManifest } from './manifest-chain.js';
import { isHandOver, type OpenedItem } from './opening.js';
import { placementOf } from './placement.js';

/**
 * Whether the item is there; false = it is not. `statements`: of the claims, in order, which verify. Throws
 * `FormatError` when they are about something else or show neither.
 */
export function isOpened(asked: OpenedItem, outbox: number, statements: readonly Statement[]): boolean {
  try {
    return isShown(asked, outbox, statements);
  } catch (error) {
    throw error instanceof FormatError ? new FormatError(`opening: ${error.message}`) : error;
  }
}

function isShown(asked: OpenedItem, outbox: number, statements: readonly Statement[]): boolean {
  const [first] = statements;
  must(first !== undefined, 'nothing');
  const output = first.attestation.outputs[first.output]!;
  for (const each of statements) {
    checkAbout(asked, outbox, each);
    must(equalBytes(each.attestation.outputs[each.output]!.root, output.root), 'two outputs');
  }
  const leaves = output.leaves === 0 ? [] : statements;
  return shownAt(asked.stage as Role, output, leaves, asked.mailbox, asked) !== null;
}

/**
 * The same of claims in their binary form (of a hand-over that alone, opened), which are verified, at the outbox that the manifest of the epoch names for the
 * mailbox. `manifests`: all versions, from the first one on.
 */
export function verifyOpening(
  asked: OpenedItem,
  claims: readonly Uint8Array[],
  manifests: readonly SignedManifest[],
): boolean {
  const opened = openManifests(manifests);
  if (isHandOver(asked.stage)) return isHandedOver(asked, claims, opened);
  const { manifest } = inForceAt(opened, asked.epoch);
  const { outbox } = placementOf(manifest, opened[0]!.hash, asked.mailbox);
  const statements = claims.map((claim) => verifyClaimAmong(decodeClaim(claim), opened));
  return isOpened(asked, outbox, statements);
}

function checkAbout(
  { stage, epoch, inbox }: OpenedItem,
  outbox: number,
  { attestation, output }: Statement,
): void {
  const actor = stage === ROLE.inbox || stage === ROLE.router ? inbox : outbox;
  const isOf = attestation.role === stage && attestation.epoch === epoch && attestation.actor === actor;
  must(isOf, 'another stage or epoch');
  must(output === (stage === ROLE.router ? outbox : 0), 'another output');
}
