/** Makes evidence of deviations: opens what was signed, as claims under the newest checkpoint, and has it judged. */
import { sha256 } from '#crypto';
import { attestationHash, decodeAttestation, type SignedAttestation } from '../attestation.js';
import { concat, equalBytes, FormatError } from '../bytes.js';
import type { Claim } from '../claim.js';
import { type Accusation, accuse } from '../evidence/accuse.js';
import { actorLeafHash, type Checkpoint } from '../log.js';
import { buildTree, multiproof, treeRoot } from '../merkle-tree.js';
import type { PlacedAt } from '../placement.js';
import type { Signed } from '../statement.js';
import type { Case, Draft } from './draft.js';
import type { Handed } from './handed.js';
import type { AuditedLog } from './log.js';
import type { Moves } from './moves.js';
import type { EpochSource, KeptEpoch } from './source.js';
import type { AuditWorld } from './world.js';

const NOTHING = new Uint8Array(0);
const NO_STATEMENT: Signed = { attestation: NOTHING, signature: new Uint8Array(64) };

/** An epoch whose leaf is under the checkpoint, as claims have it. */
export interface Logged {
  readonly epochLeaf: Uint8Array;
  readonly logIndex: number;
  readonly logPath: Uint8Array;
  readonly checkpoint: Checkpoint;
}

export class Prover {
  constructor(
    readonly source: EpochSource,
    readonly world: AuditWorld,
    private readonly log: AuditedLog,
    /** All that are known, from wherever. */
    readonly checkpoints: readonly Checkpoint[],
    private readonly moves: Moves,
  ) {}

  /** What is proven, when anything is. */
  async prove({ proof }: Draft): Promise<Accusation | null> {
    if (!proof) return null;
    try {
      const file = { manifests: this.world.manifests, ...(await proof(this)) };
      return accuse(file, this.world.serverId, this.world.rootKey);
    } catch (error) {
      // Nothing covers it, or there is too much to try.
      if (error instanceof FormatError || error instanceof RangeError) return null;
      throw error;
    }
  }

  /** Hand-overs with these of their leaves, and what leads from their logs to the checkpoint where it covers them. */
  async handedCase(
    shown: readonly (readonly [Handed, readonly number[]])[],
  ): Promise<Pick<Case, 'handOvers' | 'bridge'>> {
    const proofs = new Map<number, Uint8Array>();
    for (const [{ said }] of shown) {
      const size = said?.log.size ?? 0;
      const isCovered = size > 0 && size <= (this.log.checkpoint?.size ?? 0);
      if (isCovered && !proofs.has(size)) proofs.set(size, await this.log.consistency(size));
    }
    return {
      handOvers: shown.map(([handed, leaves]) => handed.open(leaves)),
      bridge: (from) => proofs.get(from) ?? NOTHING,
    };
  }

  /** What was handed over of an id. */
  handed(kind: keyof PlacedAt, id: Uint8Array): Promise<Pick<Case, 'handOvers' | 'bridge'>> {
    return this.moves.opened(this, kind, id);
  }

  /** Leaves of the log as far as they are under the checkpoint, in claims that have nothing else. */
  async logged(indices: readonly number[]): Promise<Claim[]> {
    const claims: Claim[] = [];
    for (const index of indices) {
      const known = index >= 0 && index < (this.log.checkpoint?.size ?? 0);
      if (!known) continue;
      const rest = { leaf: NOTHING, output: 0, leafIndex: 0, outputPath: NOTHING, actorPath: NOTHING };
      claims.push({ ...rest, ...NO_STATEMENT, ...(await this.loggedAt(index)) });
    }
    return claims;
  }

  async loggedAt(logIndex: number): Promise<Logged> {
    const logPath = await this.log.path(logIndex);
    const [epochLeaf] = await this.log.leaves(logIndex, 1);
    return { epochLeaf: epochLeaf!, logIndex, logPath, checkpoint: this.log.checkpoint! };
  }

  /** Another epoch, when it is kept. */
  async kept(epoch: number): Promise<KeptEpoch | null> {
    for await (const kept of this.source.epochs(epoch, epoch)) return kept;
    return null;
  }

  /** All statements of an epoch, each as a claim with no leaf. */
  async statements(epoch: KeptEpoch): Promise<Claim[]> {
    const logged = await this.loggedAt(epoch.logIndex);
    return epoch.attestations.map((_, position) => claimOf(epoch, logged, position, 0, NOTHING, 0, NOTHING));
  }

  /** These leaves of an output, of which all are given. None when they are not what was signed. */
  async openSigned(
    epoch: KeptEpoch,
    position: number,
    output: number,
    leaves: readonly Uint8Array[],
    shown: readonly number[],
  ): Promise<Claim[]> {
    const tree = buildTree(concat(...leaves.map((leaf) => sha256(leaf))));
    const signed = decodeAttestation(epoch.attestations[position]!.bytes).outputs[output];
    if (!signed || !equalBytes(treeRoot(tree), signed.root)) return [];
    const logged = await this.loggedAt(epoch.logIndex);
    return shown
      .filter((leaf) => leaf >= 0 && leaf < leaves.length)
      .map((leaf) => {
        const path = multiproof(tree, [leaf]);
        return claimOf(epoch, logged, position, output, leaves[leaf]!, leaf, path);
      });
  }
}

function claimOf(
  { attestations }: KeptEpoch,
  logged: Logged,
  position: number,
  output: number,
  leaf: Uint8Array,
  leafIndex: number,
  outputPath: Uint8Array,
): Claim {
  const { bytes, signature } = attestations[position]!;
  const tree = buildTree(concat(...attestations.map(actorLeaf)));
  const actorPath = multiproof(tree, [position]);
  return { leaf, output, leafIndex, outputPath, attestation: bytes, signature, actorPath, ...logged };
}

export function actorLeaf({ bytes, signature }: SignedAttestation): Uint8Array {
  return actorLeafHash(attestationHash(bytes), signature);
}
