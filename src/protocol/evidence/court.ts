/**
 * Court: what evidence is judged against, and the steps that every proof is made of. Each step throws `FormatError`
 * on what does not hold; what returns is proven.
 */
import { sha256 } from '#crypto';
import {
  type Attestation,
  attestationHash,
  decodeAttestation,
  type EpochContext,
  ROLE,
  type Role,
} from '../attestation.js';
import { equalBytes, FormatError, toHex } from '../bytes.js';
import { actorLeafHash, type Checkpoint, checkpointText, decodeEpochLeaf, type EpochLeaf } from '../log.js';
import { actorPosition, epochActors, keysOf, type Manifest } from '../manifest.js';
import { isOneLog, rootBefore, rootFromPath } from '../merkle.js';
import type { Committed, Logged, OpenedLeaf, Signed } from '../statement.js';

/** Who said something. Its key is what it is: a role and a number are how the manifest calls it. */
export interface Actor {
  readonly role: Role;
  readonly index: number;
  readonly key: Uint8Array;
}

/** A statement whose signature verifies with the key of the manifest that it names. */
export interface Said {
  readonly attestation: Attestation;
  readonly actor: Actor;
  /** Of the attestation. */
  readonly hash: Uint8Array;
  readonly manifest: Manifest;
}

/** An epoch leaf that stands in the log under a signed checkpoint. */
export interface InLog {
  readonly epochLeaf: EpochLeaf;
  readonly index: number;
  /** Whether its base is the log before it. */
  readonly isOnItsLog: boolean;
  readonly checkpoint: Checkpoint;
  readonly sequencer: Actor;
}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new FormatError(what);
}

export class Court {
  /** By hash in hexadecimal, the lowest version first. */
  private readonly manifests: ReadonlyMap<string, Manifest>;

  /** `manifests`: accepted ones (`openManifest`), with their hashes. */
  constructor(
    readonly serverId: Uint8Array,
    manifests: readonly (readonly [hash: Uint8Array, manifest: Manifest])[],
  ) {
    this.manifests = new Map(manifests.map(([hash, manifest]) => [toHex(hash), manifest]));
  }

  /** All manifests, the lowest version first. */
  get versions(): readonly Manifest[] {
    return [...this.manifests.values()];
  }

  private readonly used = new Set<string>();

  manifest(hash: Uint8Array): Manifest {
    const name = toHex(hash);
    const found = this.manifests.get(name);
    must(found !== undefined, 'another manifest');
    this.used.add(name);
    return found;
  }

  /** For another piece of evidence. */
  begin(): this {
    this.used.clear();
    return this;
  }

  /** Whether a statement or an epoch leaf has named this manifest, or its sequencer signed a checkpoint. */
  hasUsed(hash: Uint8Array): boolean {
    return this.used.has(toHex(hash));
  }

  /** Signatures that have been judged, by the arrays that hold them: who looks for evidence asks again and again. */
  private readonly judged = new WeakMap<Uint8Array, { bytes: Uint8Array; key: Uint8Array; good: boolean }>();

  private verified(manifest: Manifest, role: Role, index: number, bytes: Uint8Array, signature: Uint8Array) {
    const key = keysOf(manifest).get(role, index);
    const known = this.judged.get(signature);
    const isKnown = known && known.key === key.bytes && equalBytes(known.bytes, bytes);
    const good = isKnown ? known.good : key.verify(bytes, signature);
    if (!isKnown) this.judged.set(signature, { bytes, key: key.bytes, good });
    return good ? { role, index, key: key.bytes } : null;
  }

  /** What has been proven of parts that are the same objects: that is asked again just as often. */
  private readonly heard = new WeakMap<Uint8Array, { bytes: Uint8Array; said: Said; name: string }>();
  private readonly found = new WeakMap<Uint8Array, { part: Signed & Committed; found: Said & InLog }>();
  private readonly signers = new WeakMap<Checkpoint, { name: string; sequencer: Actor }>();

  /** Decodes a statement and checks who signed it. */
  hear({ attestation: bytes, signature }: Signed): Said {
    const known = this.heard.get(signature);
    if (known?.bytes === bytes) {
      this.used.add(known.name);
      return known.said;
    }
    const attestation = decodeAttestation(bytes);
    const { role, actor: index } = attestation;
    must(role <= ROLE.outbox, 'no role that attests');
    must(equalBytes(attestation.serverId, this.serverId), 'another server');
    const manifest = this.manifest(attestation.manifestHash);
    const actor = this.verified(manifest, role, index, bytes, signature);
    must(actor !== null, 'the signature of a statement does not verify');
    must(this.isOf(actor, attestation.epoch), 'a statement about an epoch that is not of its key');
    const said = { attestation, actor, hash: attestationHash(bytes), manifest };
    this.heard.set(signature, { bytes, said, name: toHex(attestation.manifestHash) });
    return said;
  }

  /** Whether an epoch is one of a key's, by every manifest that has it: a later one may say that it has ended. */
  private isOf({ key }: Actor, epoch: number): boolean {
    for (const { actors } of this.manifests.values())
      for (const { key: other, firstEpoch, lastEpoch } of actors)
        if (equalBytes(other, key) && (epoch < firstEpoch || (lastEpoch !== 0 && epoch > lastEpoch)))
          return false;
    return true;
  }

  /** The leaf stands in this output of the statement. */
  open({ attestation }: Said, number: number, { leaf, leafIndex, outputPath }: OpenedLeaf): void {
    const output = attestation.outputs[number];
    must(output !== undefined, 'no such output');
    const root = rootFromPath(output.leaves, leafIndex, sha256(leaf), outputPath);
    must(equalBytes(root, output.root), 'a leaf is not in the output');
  }

  /** The checkpoint is signed by a sequencer of one of the manifests. */
  checkpoint(checkpoint: Checkpoint): Actor {
    const known = this.signers.get(checkpoint);
    if (known) {
      this.used.add(known.name);
      return known.sequencer;
    }
    const { size, root, signature } = checkpoint;
    const text = checkpointText(this.serverId, size, root);
    for (const [name, manifest] of this.manifests) {
      const sequencer = this.verified(manifest, ROLE.sequencer, 0, text, signature);
      if (!sequencer) continue;
      this.used.add(name);
      this.signers.set(checkpoint, { name, sequencer });
      return sequencer;
    }
    throw new FormatError('the signature of a checkpoint does not verify');
  }

  /** These bytes stand at their index in the log under the checkpoint. Returns who has signed that. */
  logged({ epochLeaf, logIndex, logPath, checkpoint }: Logged): Actor {
    const root = rootFromPath(checkpoint.size, logIndex, sha256(epochLeaf), logPath);
    must(equalBytes(root, checkpoint.root), 'an epoch leaf is not in the log');
    return this.checkpoint(checkpoint);
  }

  /** The same of an epoch leaf. */
  log(part: Logged): InLog {
    const sequencer = this.logged(part);
    const { logIndex: index, checkpoint } = part;
    const epochLeaf = this.epochLeaf(part.epochLeaf);
    return { epochLeaf, index, isOnItsLog: isOnItsLog(epochLeaf, part), checkpoint, sequencer };
  }

  /** Decodes an epoch leaf, which names its manifest. */
  epochLeaf(bytes: Uint8Array): EpochLeaf {
    const epochLeaf = decodeEpochLeaf(bytes);
    this.used.add(toHex(epochLeaf.manifestHash));
    return epochLeaf;
  }

  /** A statement, and the epoch that it is committed in. */
  committed(part: Signed & Committed): Said & InLog {
    const said = this.hear(part);
    const known = this.found.get(part.signature);
    if (known && isSame(known.part, part)) {
      this.checkpoint(part.checkpoint);
      return known.found;
    }
    const logged = this.log(part);
    must(sameContext(said.attestation, logged.epochLeaf), 'the epoch leaf is of another epoch or base');
    this.entry(said.hash, part.signature, said.actor, part.actorPath, logged.epochLeaf);
    const found = { ...said, ...logged };
    this.found.set(part.signature, { part, found });
    return found;
  }

  /** An entry with this hash and signature stands at the actor's position in the epoch leaf. */
  entry(
    hash: Uint8Array,
    signature: Uint8Array,
    { role, index }: Pick<Actor, 'role' | 'index'>,
    actorPath: Uint8Array,
    leaf: EpochLeaf,
  ): void {
    const manifest = this.manifest(leaf.manifestHash);
    must(leaf.actors === epochActors(manifest), 'the epoch leaf has another number of actors');
    const position = actorPosition(manifest, role, index);
    const root = rootFromPath(leaf.actors, position, actorLeafHash(hash, signature), actorPath);
    must(equalBytes(root, leaf.actorsRoot), 'a statement is not in the epoch leaf');
  }

  /**
   * Two epoch leaves are of one log: under one checkpoint, or a consistency proof leads from the smaller to the larger.
   * And whoever signed them knew it: an epoch that was aborted in a crash, and logged late, is on another base than
   * the log before it, or those behind it are.
   */
  bridge(one: InLog, other: InLog, proof: Uint8Array): void {
    must(one.isOnItsLog && other.isOnItsLog, 'an epoch on another base than the log before it');
    must(isOneLog(one.checkpoint, other.checkpoint, proof), 'the checkpoints are not shown to be of one log');
  }
}

/** Whether two parts say the same by the same objects. */
function isSame(a: Signed & Committed, b: Signed & Committed): boolean {
  return (
    a.attestation === b.attestation &&
    a.signature === b.signature &&
    a.actorPath === b.actorPath &&
    a.epochLeaf === b.epochLeaf &&
    a.logIndex === b.logIndex &&
    a.logPath === b.logPath &&
    a.checkpoint === b.checkpoint
  );
}

/** Whether the base of an epoch leaf is the log before it. */
export function isOnItsLog({ base }: EpochLeaf, { checkpoint, logIndex, logPath }: Logged): boolean {
  return base.size === logIndex && equalBytes(base.root, rootBefore(checkpoint.size, logIndex, logPath));
}

/** Whether two statements, or a statement and its epoch leaf, are about one epoch in one state of the world. */
export function sameContext(a: EpochContext, b: EpochContext): boolean {
  return (
    a.epoch === b.epoch &&
    a.base.size === b.base.size &&
    equalBytes(a.base.root, b.base.root) &&
    equalBytes(a.manifestHash, b.manifestHash) &&
    equalBytes(a.placementRoot, b.placementRoot)
  );
}
