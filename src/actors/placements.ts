/**
 * Which actors there were in an epoch, and where it placed an id: what is stored of an epoch lies under the numbers that
 * its own manifest gave, also when a later one has moved inboxes, outboxes and buckets.
 */
import {
  type ActorCounts,
  bucketsOf,
  countsIn,
  inForceAt,
  type Manifest,
  type PlacedAt,
  placementOf,
  placesAlike,
  placesOf,
} from '../protocol/index.js';

/** A version of the manifest, and the first epoch that it is in force for. */
export interface ManifestVersion {
  readonly from: number;
  readonly manifest: Manifest;
}

export class Placements {
  /** From this epoch on every id has been where it is today. */
  readonly since: number;

  /** `versions`: all of them, or the newest of each placement. */
  constructor(
    readonly serverId: Uint8Array,
    private readonly versions: readonly ManifestVersion[],
  ) {
    const newest = versions.at(-1)!.manifest;
    this.since = versions[versions.findLastIndex(({ manifest }) => !placesAlike(manifest, newest)) + 1]!.from;
  }

  get newest(): Manifest {
    return this.versions.at(-1)!.manifest;
  }

  manifestAt(epoch: number): Manifest {
    return inForceAt(this.versions, epoch).manifest;
  }

  countsAt(epoch: number): ActorCounts {
    return countsIn(this.manifestAt(epoch));
  }

  /** Where an id (32 bytes) was in an epoch. */
  placed(epoch: number, id: Uint8Array): PlacedAt {
    return placementOf(this.manifestAt(epoch), this.serverId, id);
  }
}

/** The placement of ids by buckets; the one function that every stage uses. */
export function placementFor(manifest: Manifest, serverId: Uint8Array): (id: Uint8Array) => PlacedAt {
  const bucketOf = bucketsOf(serverId);
  const places = placesOf(manifest);
  return (id) => places[bucketOf(id)]!;
}
