/** The manifests of a case, by the hash that statements and epoch leaves name: each epoch is judged by its own (accuse.ts). */
import { ROLE, type Role } from '../attestation.js';
import { toHex } from '../bytes.js';
import { decodeEpochLeaf } from '../log.js';
import { actorPosition, countActors, decodeManifest, type Manifest, manifestHash } from '../manifest.js';
import type { Evidence } from './evidence.js';
import { producersOf } from './rules-log.js';
import type { Testimony } from './testimony.js';

export class CaseManifests {
  private readonly bytes: ReadonlyMap<string, Uint8Array>;
  private readonly decoded = new Map<string, Manifest>();

  constructor(manifests: Evidence['manifests']) {
    this.bytes = new Map(manifests.map(({ bytes }) => [toHex(manifestHash(bytes)), bytes]));
  }

  /** Null when the case has none with this hash. Throws `FormatError` when that is malformed. */
  private named(hash: Uint8Array): Manifest | null {
    const name = toHex(hash);
    const bytes = this.bytes.get(name);
    if (!bytes) return null;
    const known = this.decoded.get(name) ?? decodeManifest(bytes);
    this.decoded.set(name, known);
    return known;
  }

  /** Whose statements one was made of, in order, by the manifest that it names. Null when that is not known. */
  producersOf({ decoded: { role, actor: index, manifestHash } }: Testimony) {
    const manifest = this.named(manifestHash);
    return manifest && producersOf({ role, index }, manifest);
  }

  /**
   * Where a statement stands in its epoch leaf, by the manifest that the leaf names. By the one that the statement names
   * where the leaf's is not known: that there are two is the sequencer's fault. Null for an actor that stands nowhere.
   */
  positionOf({ decoded: { role, actor, manifestHash }, epochLeaf }: Testimony): number | null {
    const manifest = this.named(manifestOf(epochLeaf) ?? manifestHash) ?? this.named(manifestHash);
    const isAttesting = manifest && role <= ROLE.outbox && actor < countActors(manifest, role as Role);
    return isAttesting ? actorPosition(manifest, role, actor) : null;
  }
}

/** The hash that an epoch leaf names; null of what is none. */
function manifestOf(epochLeaf: Uint8Array): Uint8Array | null {
  try {
    return decodeEpochLeaf(epochLeaf).manifestHash;
  } catch {
    return null;
  }
}
