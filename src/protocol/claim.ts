/**
 * Claims: an opened statement with its whole proof. Whole or nothing, one encoding, no byte that is
 * not covered by a hash, a signature or a check.
 *
 *   claim := csign1cl ‖ preimage length 4 ‖ opened leaf preimage (0x00 ‖ tag ‖ …) ‖ output 2 ‖ leaf index 4 ‖
 *            hashes 1 ‖ path in the output ‖ attestation length 4 ‖ attestation ‖ signature 64 ‖
 *            hashes 1 ‖ actor path ‖ epoch leaf 163 ‖ log index 8 ‖ hashes 1 ‖ log path ‖
 *            checkpoint size 8 ‖ checkpoint root 32 ‖ checkpoint signature 64
 */
import { sha256 } from '#crypto';
import {
  type Attestation,
  attestationHash,
  type Output,
  ROLE,
  ROLE_NAMES,
  type Role,
} from './attestation.js';
import { decodeAttestation } from './attestation-decode.js';
import { ascii, equalBytes, FormatError, Reader, SIGNATURE_BYTES, Writer } from './bytes.js';
import { decodeEpochLeaf } from './epoch-leaf-decode.js';
import { expectBytes } from './expect-bytes.js';
import { actorLeafHash, type Checkpoint, checkpointText, type EpochLeaf } from './log.js';
import { actorPosition, epochActors, keysOf, type Manifest } from './manifest.js';
import { rootFromPath } from './merkle.js';

const TAG = ascii('csign1cl');
const EPOCH_LEAF_BYTES = 163;
const MAX_PREIMAGE = 8192;
/** A router of 4,096 receivers signs 164 KB. */
const MAX_ATTESTATION = 1 << 18;

export interface Claim {
  /** The opened leaf: an inbox, router or receiver page, a link part or a still; empty where the output has no leaves. */
  readonly leaf: Uint8Array;
  /** Which output of the attestation (a router has one per receiver). */
  readonly output: number;
  readonly leafIndex: number;
  readonly outputPath: Uint8Array;
  readonly attestation: Uint8Array;
  readonly signature: Uint8Array;
  readonly actorPath: Uint8Array;
  readonly epochLeaf: Uint8Array;
  readonly logIndex: number;
  readonly logPath: Uint8Array;
  readonly checkpoint: Checkpoint;
}

/** What a claim says, once verified. */
export interface Statement {
  readonly attestation: Attestation;
  readonly epochLeaf: EpochLeaf;
  readonly leaf: Uint8Array;
  readonly output: number;
  readonly leafIndex: number;
}

export function encodeClaim(claim: Claim): Uint8Array {
  const out = new Writer(1024)
    .bytes(TAG)
    .u32(claim.leaf.length)
    .bytes(claim.leaf)
    .u16(claim.output)
    .u32(claim.leafIndex);
  const path = (hashes: Uint8Array) => out.u8(hashes.length / 32).bytes(hashes);
  path(claim.outputPath).u32(claim.attestation.length).bytes(claim.attestation).bytes(claim.signature);
  path(claim.actorPath).bytes(claim.epochLeaf).u64(claim.logIndex);
  path(claim.logPath)
    .u64(claim.checkpoint.size)
    .bytes(claim.checkpoint.root)
    .bytes(claim.checkpoint.signature);
  return out.done();
}

/** Throws `FormatError` on any bytes that are not exactly one claim. */
export function decodeClaim(bytes: Uint8Array): Claim {
  const reader = new Reader(bytes);
  expectBytes(reader, TAG, 'claim tag');
  const claim = {
    leaf: bounded(reader, MAX_PREIMAGE),
    output: reader.u16(),
    leafIndex: reader.u32(),
    outputPath: reader.hashes(reader.u8()),
    attestation: bounded(reader, MAX_ATTESTATION),
    signature: reader.bytes(SIGNATURE_BYTES),
    actorPath: reader.hashes(reader.u8()),
    epochLeaf: reader.bytes(EPOCH_LEAF_BYTES),
    logIndex: reader.u64(),
    logPath: reader.hashes(reader.u8()),
    checkpoint: { size: reader.u64(), root: reader.hash(), signature: reader.bytes(SIGNATURE_BYTES) },
  };
  reader.end();
  return claim;
}

function bounded(reader: Reader, most: number): Uint8Array {
  const length = reader.u32();
  if (length > most) throw new FormatError(`${length} bytes, at most ${most} allowed`);
  return reader.bytes(length);
}

/** A signature that a claim stands on: whose, and over what. */
export interface ClaimSignature {
  readonly role: Role;
  readonly actor: number;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
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
  const { statement, signatures } = checkClaim(claim, serverId, manifest, manifestHash);
  const keys = keysOf(manifest);
  for (const { role, actor, bytes, signature } of signatures)
    if (!keys.get(role, actor).verify(bytes, signature))
      throw fail(`signature of ${ROLE_NAMES[role]} ${actor}`);
  return statement;
}

const fail = (what: string) => new FormatError(`claim: ${what}`);

/** The same but for the signatures, where a platform checks them later: all of them must verify. */
export function checkClaim(
  claim: Claim,
  serverId: Uint8Array,
  manifest: Manifest,
  manifestHash: Uint8Array,
): { readonly statement: Statement; readonly signatures: readonly ClaimSignature[] } {
  const attestation = decodeAttestation(claim.attestation);
  const epochLeaf = decodeEpochLeaf(claim.epochLeaf);
  const { checkpoint, signature } = claim;
  const { role, actor } = attestation;
  if (role < ROLE.inbox || role > ROLE.outbox) throw fail('role of no stage');
  if (!equalBytes(attestation.serverId, serverId)) throw fail('other server');
  if (!equalBytes(attestation.manifestHash, manifestHash)) throw fail('other manifest');
  const output = attestation.outputs[claim.output];
  if (!output) throw fail('no such output');
  if (!isInOutput(claim, attestation, output)) throw fail('leaf is not in the output');
  checkContext(attestation, epochLeaf);
  if (epochLeaf.actors !== epochActors(manifest)) throw fail('number of actors');
  const leaf = actorLeafHash(attestationHash(claim.attestation), signature);
  const position = actorPosition(manifest, role, actor);
  if (!equalBytes(rootFromPath(epochLeaf.actors, position, leaf, claim.actorPath), epochLeaf.actorsRoot))
    throw fail('attestation is not in the epoch leaf');
  if (epochLeaf.previousEpoch >= epochLeaf.epoch || epochLeaf.base.size > claim.logIndex)
    throw fail('order in the log');
  const root = rootFromPath(checkpoint.size, claim.logIndex, sha256(claim.epochLeaf), claim.logPath);
  if (!equalBytes(root, checkpoint.root)) throw fail('epoch leaf is not in the log');
  const text = checkpointText(serverId, checkpoint.size, checkpoint.root);
  return {
    statement: { attestation, epochLeaf, leaf: claim.leaf, output: claim.output, leafIndex: claim.leafIndex },
    signatures: [
      { role, actor, bytes: claim.attestation, signature },
      { role: ROLE.sequencer, actor: 0, bytes: text, signature: checkpoint.signature },
    ],
  };
}

/** No leaf, with index 0 and no path, stands for an output without leaves: then the attestation alone is claimed. */
function isInOutput(
  { leaf, leafIndex, outputPath }: Claim,
  attestation: Attestation,
  { leaves, root }: Output,
): boolean {
  if (leaves === 0) return leaf.length + leafIndex + outputPath.length === 0;
  const hash = sha256(checkLeaf(leaf, attestation));
  return equalBytes(rootFromPath(leaves, leafIndex, hash, outputPath), root);
}

/** Of what a role signs, by its number. */
const LEAF_PREFIXES = [[], ['\0csign1in'], ['\0csign1ro'], ['\0csign1re'], ['\0csign1li', '\0csign1st']];
/** Offset of the epoch in a link and in a still. */
const LEAF_EPOCH_AT = 41;

/** The leaf is of the kind that its role signs; a link or a still is of the attestation's own epoch. */
function checkLeaf(leaf: Uint8Array, { role, epoch }: Attestation): Uint8Array {
  const prefix = String.fromCharCode(...leaf.subarray(0, 9));
  if (!LEAF_PREFIXES[role]?.includes(prefix)) throw new FormatError('claim: leaf of another role');
  if (
    role === ROLE.outbox &&
    (leaf.length < LEAF_EPOCH_AT + 8 || new Reader(leaf, LEAF_EPOCH_AT).u64() !== epoch)
  ) {
    throw new FormatError('claim: leaf of another epoch');
  }
  return leaf;
}

function checkContext(a: Attestation, leaf: EpochLeaf): void {
  if (a.epoch !== leaf.epoch) throw fail('other epoch');
  if (a.base.size !== leaf.base.size || !equalBytes(a.base.root, leaf.base.root)) throw fail('other base');
  if (!equalBytes(a.manifestHash, leaf.manifestHash)) throw fail('other manifest in the epoch leaf');
  if (!equalBytes(a.placementRoot, leaf.placementRoot)) throw fail('other placement');
}
