/**
 * Claims: an opened statement with its whole proof. Whole or nothing, one encoding, no byte that is
 * not covered by a hash, a signature or a check.
 *
 *   claim := csign1cl ‖ the fields of statement.ts: an opened leaf, its statement, the way up to the checkpoint
 */
import { type Attestation, ROLE } from './attestation.js';
import { ascii, FormatError, getU64, Reader, Writer } from './bytes.js';
import { Court, type InLog, must, type Said } from './evidence/court.js';
import { expectBytes } from './expect-bytes.js';
import { struct, type ValueOf } from './fields.js';
import type { EpochLeaf } from './log.js';
import type { Manifest } from './manifest.js';
import type { OpenedManifest } from './manifest-chain.js';
import { committedFields, openedFields } from './statement.js';

const TAG = ascii('csign1cl');

export const claimField = /* @__PURE__ */ struct({ ...openedFields, ...committedFields });
export type Claim = ValueOf<typeof claimField>;

/** What a claim says, once verified. */
export interface Statement extends Said {
  readonly epochLeaf: EpochLeaf;
  readonly leaf: Uint8Array;
  readonly output: number;
  readonly leafIndex: number;
}

export function encodeClaim(claim: Claim): Uint8Array {
  const out = new Writer(1024).bytes(TAG);
  claimField.write(out, claim);
  return out.done();
}

/** Throws `FormatError` on any bytes that are not exactly one claim. */
export function decodeClaim(bytes: Uint8Array): Claim {
  const reader = new Reader(bytes);
  expectBytes(reader, TAG, 'claim tag');
  const claim = claimField.read(reader);
  reader.end();
  return claim;
}

/**
 * Checks a claim from its leaf to the checkpoint's signature. Throws `FormatError` naming the first
 * step that fails; returns what is proven: this actor signed this leaf in this committed epoch.
 * `manifest` is what `decodeManifest` or `openManifest` gave: they hold its keys against the key rule.
 */
export function verifyClaim(
  claim: Claim,
  serverId: Uint8Array,
  manifest: Manifest,
  manifestHash: Uint8Array,
): Statement {
  return verifyIn(new Court(serverId, [[manifestHash, manifest]]), claim);
}

/** The same where there may be several versions of the manifest: all of them, from the first one on. */
export function verifyClaimAmong(claim: Claim, manifests: readonly OpenedManifest[]): Statement {
  const all = manifests.map(({ hash, manifest }) => [hash, manifest] as const);
  return verifyIn(new Court(manifests[0]!.hash, all), claim);
}

function verifyIn(court: Court, claim: Claim): Statement {
  try {
    return openedIn(court, claim);
  } catch (error) {
    throw error instanceof FormatError ? new FormatError(`claim: ${error.message}`) : error;
  }
}

/**
 * No leaf, with index 0 and no path, stands for an output without leaves: then the statement alone
 * is claimed.
 */
function openedIn(court: Court, claim: Claim): ClaimInLog {
  if (claim.leaf.length > 0) return claimIn(court, claim);
  const said = court.committed(claim);
  const { leaf, output, leafIndex, outputPath } = claim;
  const isEmpty = said.attestation.outputs[output]?.leaves === 0;
  must(isEmpty && leafIndex + outputPath.length === 0, 'no leaf, and not of an empty output');
  return { ...inOrder(said), leaf, output, leafIndex };
}

/** A claim in a court: what it says, and where it stands in the log. */
export interface ClaimInLog extends Statement, InLog {}

/** The same where there may be several manifests, of a claim with a leaf. */
export function claimIn(court: Court, claim: Claim): ClaimInLog {
  const said = court.committed(claim);
  checkLeaf(claim.leaf, said.attestation);
  court.open(said, claim.output, claim);
  const { leaf, output, leafIndex } = claim;
  return { ...inOrder(said), leaf, output, leafIndex };
}

function inOrder<T extends InLog>(said: T): T {
  const { epochLeaf, index } = said;
  const isInOrder = epochLeaf.previousEpoch < epochLeaf.epoch && epochLeaf.base.size <= index;
  must(isInOrder, 'order in the log');
  return said;
}

/** Of what a role signs, by its number. */
const LEAF_PREFIXES = [[], ['\0csign1in'], ['\0csign1ro'], ['\0csign1re'], ['\0csign1li', '\0csign1st']];
/** Offset of the epoch in a link and in a still. */
const LEAF_EPOCH_AT = 41;

/** The leaf is of the kind that its role signs; a link or a still is of the attestation's own epoch. */
function checkLeaf(leaf: Uint8Array, { role, epoch }: Attestation): void {
  const prefix = String.fromCharCode(...leaf.subarray(0, 9));
  must(LEAF_PREFIXES[role]!.includes(prefix), 'leaf of another role');
  if (role !== ROLE.outbox) return;
  must(leaf.length >= LEAF_EPOCH_AT + 8 && getU64(leaf, LEAF_EPOCH_AT) === epoch, 'leaf of another epoch');
}
