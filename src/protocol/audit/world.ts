/** Which server an audit is about: its manifests, and what they say of actors, keys and placement. */

import { importPublicKey, type PublicKey } from '#crypto';
import { ROLE } from '../attestation.js';
import { equalBytes, toHex } from '../bytes.js';
import type { Checkpoint } from '../log.js';
import { countActors, epochActors, type Manifest } from '../manifest.js';
import { type OpenedManifest, openManifests } from '../manifest-chain.js';
import { EMPTY_ROOT } from '../merkle.js';
import { type PlacedAt, placementOf } from '../placement.js';
import { idText } from './id-table.js';
import { isSigned } from './note.js';
import type { EpochSource } from './source.js';

/** Ids whose placement, and senders whose keys, are remembered. */
const PLACEMENTS = 100_000;
const KEYS = 10_000;

export class AuditWorld {
  readonly serverId: Uint8Array;
  readonly rootKey: Uint8Array;
  readonly newest: Manifest;
  readonly versions: readonly OpenedManifest[];
  private readonly byHash: ReadonlyMap<string, Manifest>;
  private placements = new Map<string, PlacedAt>();
  private keys = new Map<string, PublicKey | null>();
  /** Without exceptions, of which no manifest tells. */
  readonly placementRoot = EMPTY_ROOT;

  /** Throws `FormatError` on manifests that are none of one server. */
  constructor(readonly manifests: EpochSource['manifests']) {
    this.versions = openManifests(manifests);
    this.byHash = new Map(this.versions.map(({ hash, manifest }) => [toHex(hash), manifest]));
    this.serverId = this.versions[0]!.hash;
    this.newest = this.versions.at(-1)!.manifest;
    this.rootKey = this.newest.rootKey;
  }

  /** Undefined for another server's. */
  manifest(hash: Uint8Array): Manifest | undefined {
    return this.byHash.get(toHex(hash));
  }

  /** Whether this version is the one that is in force in an epoch. */
  isInForce(hash: Uint8Array, epoch: number): boolean {
    const inForce = this.versions.findLast(({ from }) => epoch >= from);
    return inForce !== undefined && equalBytes(inForce.hash, hash);
  }

  /** Whether a sequencer of any version has signed it. */
  hasSigned(checkpoint: Checkpoint): boolean {
    return isSigned(
      checkpoint,
      this.serverId,
      this.versions.map(({ manifest }) => manifest),
    );
  }

  get retentionEpochs(): number {
    return this.newest.policy.retentionEpochs;
  }

  /** Null of a sender that breaks the key rule. */
  keyOf(sender: Uint8Array): PublicKey | null {
    const id = idText(sender);
    const known = this.keys.get(id);
    if (known !== undefined) return known;
    const key = keyOrNull(sender);
    if (this.keys.size >= KEYS) this.keys = new Map();
    this.keys.set(id, key);
    return key;
  }

  /** Where the manifest's buckets place an id, of which 32 bytes lie at `at`. */
  placed(manifest: Manifest, bytes: Uint8Array, at = 0): PlacedAt {
    const id = idText(bytes, at);
    let placed = manifest === this.newest ? this.placements.get(id) : undefined;
    if (placed) return placed;
    placed = placementOf(manifest, this.serverId, bytes.subarray(at, at + 32));
    if (this.placements.size >= PLACEMENTS) this.placements = new Map();
    if (manifest === this.newest) this.placements.set(id, placed);
    return placed;
  }
}

function keyOrNull(bytes: Uint8Array): PublicKey | null {
  try {
    return importPublicKey(bytes);
  } catch {
    return null;
  }
}

/** Number and place of actors in an epoch. */
export class Actors {
  readonly inboxes: number;
  readonly outboxes: number;
  readonly count: number;

  constructor(manifest: Manifest) {
    this.inboxes = countActors(manifest, ROLE.inbox);
    this.outboxes = countActors(manifest, ROLE.outbox);
    this.count = epochActors(manifest);
  }

  /** Role and number at a position of an epoch leaf. */
  at(position: number): { readonly role: 1 | 2 | 3 | 4; readonly index: number } {
    const { inboxes, outboxes } = this;
    if (position < inboxes) return { role: ROLE.inbox, index: position };
    if (position < 2 * inboxes) return { role: ROLE.router, index: position - inboxes };
    const index = position - 2 * inboxes;
    return index < outboxes ? { role: ROLE.receiver, index } : { role: ROLE.outbox, index: index - outboxes };
  }

  router(i: number): number {
    return this.inboxes + i;
  }

  receiver(j: number): number {
    return 2 * this.inboxes + j;
  }

  outbox(j: number): number {
    return 2 * this.inboxes + this.outboxes + j;
  }
}
