/** "Steps that rules are made of", each as the document has it. A step that fails throws NothingProven. */
import { type Attestation, attestationHash, OUTBOX } from './attestation.js';
import { ascii, H, hex, join, u8 } from './bytes.js';
import { decodeAttestation, decodeEpochLeaf, decodeManifest, type EpochLeafFields } from './decode.js';
import { verifyByRule } from './ed25519.js';
import type { checkpoint, claim, committed, logged, opened, Parts, statement } from './evidence-form.js';
import { actorLeaf, checkpointText } from './log.js';
import { type Manifest, manifestHash, manifestSigned } from './manifest.js';
import { nodeHash, root, verifyConsistency, verifyInclusion } from './merkle.js';
import { placementOf, placementRoot } from './placement.js';
import { ifReadable } from './reader.js';

export class NothingProven extends Error {}

export function must(holds: boolean, step: string): asserts holds {
  if (!holds) throw new NothingProven(step);
}

/** What decodes, or the step has failed. */
export function decoded<T>(what: string, decode: () => T): T {
  const value = ifReadable(decode);
  must(value !== undefined, `${what} cannot be decoded`);
  return value;
}

export interface Accepted {
  manifest: Manifest;
  hash: Buffer;
}

/** What all steps of one verdict know. */
export interface Known {
  serverId: Buffer;
  rootKey: Buffer;
  manifests: Accepted[];
  /** Hashes (hex) of manifests that a statement or an epoch leaf has named, or whose sequencer signed a checkpoint. */
  named: Set<string>;
}

export interface Heard {
  attestation: Attestation;
  manifest: Manifest;
  key: Buffer;
  hash: Buffer;
  signature: Buffer;
}

export interface Sequencer {
  key: Buffer;
  index: number;
}

/** Accepted, with its root signature, and its root key is the given one. */
export function acceptManifest(bytes: Buffer, signature: Buffer, rootKey: Buffer): Accepted {
  must(verifyByRule(rootKey, manifestSigned(bytes), signature), 'the root key did not sign the manifest');
  const manifest = decoded('a manifest', () => decodeManifest(bytes));
  must(manifest.rootKey.equals(rootKey), 'the manifest has another root key');
  return { manifest, hash: manifestHash(bytes) };
}

/** The next version of the one before it, whose hash it names. */
export function mustFollow(next: Accepted, before: Accepted | undefined): void {
  const { version, previousHash } = next.manifest;
  must(version === (before?.manifest.version ?? 0) + 1, 'the manifest is not the next version');
  must(previousHash.equals(before?.hash ?? Buffer.alloc(32)), 'the manifest names another one before it');
}

export function manifestOf(known: Known, hash: Buffer): Manifest | undefined {
  return known.manifests.find((accepted) => accepted.hash.equals(hash))?.manifest;
}

/** The key in use that a manifest has for a role and actor. */
export function keyInUse(manifest: Manifest, role: number, index: number): Buffer | undefined {
  return manifest.actors.find((a) => a.role === role && a.index === index && a.lastEpoch === 0n)?.key;
}

export function countInUse(manifest: Manifest, role: number): number {
  return manifest.actors.filter((a) => a.role === role && a.lastEpoch === 0n).length;
}

/** The actors in use with roles 1 to 4, by (role, index): their positions are those of their entries. */
export function signers(manifest: Manifest): { role: number; index: number; key: Buffer }[] {
  return manifest.actors.filter((a) => a.role <= 4 && a.lastEpoch === 0n);
}

export function positionOf(manifest: Manifest, role: number, index: number): number {
  return signers(manifest).findIndex((a) => a.role === role && a.index === index);
}

/** To hear a statement. */
export function hear(known: Known, { signed, signature }: Parts<typeof statement>): Heard {
  const attestation = decoded('an attestation', () => decodeAttestation(signed));
  must(attestation.role >= 1 && attestation.role <= 4, 'the role is none of 1 to 4');
  must(attestation.serverId.equals(known.serverId), 'the statement is about another server');
  const manifest = manifestOf(known, attestation.manifestHash);
  must(manifest !== undefined, 'the statement names none of the manifests');
  const key = keyInUse(manifest, attestation.role, attestation.actor);
  must(key !== undefined, 'no such actor');
  must(verifyByRule(key, signed, signature), 'the signature of the statement does not verify');
  mustBeItsEpoch(known, key, attestation.epoch);
  known.named.add(hex(attestation.manifestHash));
  return { attestation, manifest, key, hash: attestationHash(signed), signature };
}

/** The epoch is one of the key's in every one of the manifests that has the key. */
function mustBeItsEpoch({ manifests }: Known, key: Buffer, epoch: bigint): void {
  const entries = manifests.flatMap(({ manifest }) => manifest.actors.filter((a) => a.key.equals(key)));
  must(
    entries.every((a) => a.firstEpoch <= epoch && (a.lastEpoch === 0n || epoch <= a.lastEpoch)),
    'the epoch is not one of the key',
  );
}

/** To open a leaf in an output of a heard statement. */
export function open(
  heard: Heard,
  output: number,
  { preimage, index, path }: { preimage: Buffer; index: number; path: Buffer[] },
): void {
  const made = heard.attestation.outputs[output];
  must(made !== undefined, 'no such output');
  must(
    verifyInclusion(BigInt(index), BigInt(made.leaves), H(preimage), path, made.root),
    'the path in the output leads elsewhere',
  );
}

/** Heard and opened. */
export function hearOpened(known: Known, part: Parts<typeof opened>): Heard {
  const heard = hear(known, part.statement);
  open(heard, part.output, part);
  return heard;
}

/** A checkpoint verifies with the sequencer's key in use of one of the manifests (the first for which it does). */
export function verifyCheckpoint(known: Known, point: Parts<typeof checkpoint>): Sequencer {
  const text = ascii(checkpointText(known.serverId, point.size, point.root));
  for (const { manifest, hash } of known.manifests) {
    const { key, index } = manifest.actors.find((a) => a.role === 5 && a.lastEpoch === 0n)!;
    if (!verifyByRule(key, text, point.signature)) continue;
    known.named.add(hex(hash));
    return { key, index };
  }
  throw new NothingProven('no sequencer signed the checkpoint');
}

/** Logged: the log path leads to the checkpoint's root, and the checkpoint verifies. */
export function verifyLogged(known: Known, part: Parts<typeof logged>): Sequencer {
  must(
    verifyInclusion(
      part.logIndex,
      part.checkpoint.size,
      H(part.epochLeaf),
      part.logPath,
      part.checkpoint.root,
    ),
    'the log path leads elsewhere',
  );
  return verifyCheckpoint(known, part.checkpoint);
}

/** Where its fields are used the epoch leaf is decoded. */
export function epochLeafOf(known: Known, part: Parts<typeof logged>): EpochLeafFields {
  return decoded('an epoch leaf', () => readEpochLeaf(known, part.epochLeaf));
}

export function readEpochLeaf(known: Known, bytes: Buffer): EpochLeafFields {
  const leaf = decodeEpochLeaf(bytes);
  known.named.add(hex(leaf.manifestHash));
  return leaf;
}

/** An attestation and an epoch leaf agree on epoch, base, manifest hash and placement root. */
export function agree(attestation: Attestation, leaf: EpochLeafFields): boolean {
  return (
    attestation.epoch === leaf.epoch &&
    attestation.base.size === leaf.base.size &&
    attestation.base.root.equals(leaf.base.root) &&
    attestation.manifestHash.equals(leaf.manifestHash) &&
    attestation.placementRoot.equals(leaf.placementRoot)
  );
}

/** An entry, attestation hash and signature, stands in an epoch leaf at a position. */
export function standsIn(
  leaf: EpochLeafFields,
  position: number,
  entryHash: Buffer,
  signature: Buffer,
  path: Buffer[],
): boolean {
  const entry = H(actorLeaf(entryHash, signature));
  return verifyInclusion(BigInt(position), BigInt(leaf.actors), entry, path, leaf.actorsRoot);
}

/** Committed. */
export function commit(known: Known, heard: Heard, part: Parts<typeof committed>): EpochLeafFields {
  verifyLogged(known, part.logged);
  const leaf = epochLeafOf(known, part.logged);
  const { attestation, manifest, hash, signature } = heard;
  must(agree(attestation, leaf), 'the statement and its epoch leaf differ');
  must(leaf.actors === signers(manifest).length, 'the epoch leaf has another number of actors');
  const position = positionOf(manifest, attestation.role, attestation.actor);
  must(standsIn(leaf, position, hash, signature, part.actorPath), 'the entry is not in the epoch leaf');
  return leaf;
}

/** Step 4 of a claim: tags of the leaves of roles 1 to 4. */
const LEAF_TAGS = [[], ['csign1in'], ['csign1ro'], ['csign1re'], ['csign1li', 'csign1st']];

/** A claim in evidence is committed, and passes all other steps of a claim. */
export function verifyClaim(known: Known, part: Parts<typeof claim>): Heard {
  const heard = hearOpened(known, part.opened);
  const { role, epoch } = heard.attestation;
  const { preimage } = part.opened;
  // 4. The leaf starts with 0x00 and a tag of the role; a link's part or a still is of the attestation's epoch.
  const tag = LEAF_TAGS[role]!.some((name) => preimage.subarray(0, 9).equals(join(u8(0x00), ascii(name))));
  must(tag, 'the leaf is of another role');
  const inEpoch = preimage.length >= 49 && preimage.readBigUInt64BE(41) === epoch;
  must(role !== OUTBOX || inEpoch, 'the leaf is of another epoch');
  const leaf = commit(known, heard, part.committed);
  // 8. The previous epoch is below the epoch, and the base is not larger than the log index.
  must(leaf.previousEpoch < leaf.epoch, 'the previous epoch is not below the epoch');
  must(leaf.base.size <= part.committed.logged.logIndex, 'the base is larger than the log index');
  return heard;
}

/** Whether an epoch leaf stands on its log: base size = log index; base root = that over the left siblings of its path. */
export function isOnItsLog({ base }: EpochLeafFields, part: Parts<typeof logged>): boolean {
  if (base.size !== part.logIndex) return false;
  const left: Buffer[] = [];
  const path = [...part.logPath];
  for (let n = part.checkpoint.size, at = part.logIndex; n > 1n; n = (n + 1n) / 2n, at /= 2n) {
    if (at % 2n === 1n) left.push(path.shift()!);
    else if (at + 1n < n) path.shift();
  }
  if (left.length === 0) return base.root.equals(EMPTY_ROOT);
  return base.root.equals(left.reduce((right, sibling) => nodeHash(sibling, right)));
}

/** A bridge between two epoch leaves, each of which stands on its log. */
export function mustBridge(
  known: Known,
  one: Parts<typeof logged>,
  other: Parts<typeof logged>,
  path: Buffer[],
): void {
  for (const each of [one, other])
    must(isOnItsLog(epochLeafOf(known, each), each), 'an epoch leaf is not on its log');
  const [a, b] = [one.checkpoint, other.checkpoint];
  if (a.size === b.size) {
    must(a.root.equals(b.root) && path.length === 0, 'checkpoints of one size are not bridged');
    return;
  }
  const [smaller, larger] = a.size < b.size ? [a, b] : [b, a];
  must(smaller.size !== 0n, 'nothing bridges the empty log');
  must(
    verifyConsistency(smaller.size, larger.size, smaller.root, larger.root, path),
    'the bridge does not lead from one checkpoint to the other',
  );
}

/** Placement by buckets: the placement root is H(""). The inbox and outbox of an id, by that manifest. */
export function byBuckets(known: Known, heard: Heard): (id: Buffer) => { inbox: number; outbox: number } {
  must(heard.attestation.placementRoot.equals(placementRoot([])), 'placement is not by buckets');
  return (id) => placementOf(known.serverId, heard.manifest.runs, [], id);
}

export const EMPTY_ROOT = root([]);
