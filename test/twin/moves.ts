/** Versions of the manifest between two statements, and what they say of who had an id. */
import type { Heard, Known } from './evidence-steps.js';
import type { Manifest } from './manifest.js';
import { placementOf } from './placement.js';

/** The highest first epoch of a key in use, or last epoch + 1 of one that ends. */
export function firstEpochOf(manifest: Manifest): bigint {
  let first = 0n;
  for (const { firstEpoch, lastEpoch } of manifest.actors) {
    const epoch = lastEpoch === 0n ? firstEpoch : lastEpoch + 1n;
    if (epoch > first) first = epoch;
  }
  return first;
}

/** The versions between two statements: from the lower to the higher of those that they name, and since an epoch. */
export function versionsBetween(known: Known, one: Heard, other: Heard, since?: bigint): Manifest[] {
  const numbers = [one.manifest.version, other.manifest.version];
  const highest = Math.max(...numbers);
  let lowest = Math.min(...numbers);
  const upTo = known.manifests.map(({ manifest }) => manifest).filter(({ version }) => version <= highest);
  if (since !== undefined) {
    // The one in force in that epoch: the last that begins by then, or the first of all.
    const begun = upTo.filter((manifest) => firstEpochOf(manifest) <= since);
    lowest = Math.min(lowest, begun.length === 0 ? 1 : begun[begun.length - 1]!.version);
  }
  return upTo.filter(({ version }) => version >= lowest);
}

/** Who had an id: an inbox or an outbox of each of these versions. */
export function hadBy(known: Known, kind: 'inbox' | 'outbox', id: Buffer, versions: Manifest[]): number[] {
  return versions.map(({ runs }) => placementOf(known.serverId, runs, [], id)[kind]);
}

/** An id stays: it is placed at one inbox (outbox) by all of them. */
export function stays(known: Known, kind: 'inbox' | 'outbox', id: Buffer, versions: Manifest[]): boolean {
  return new Set(hadBy(known, kind, id, versions)).size === 1;
}

/** All have the same runs. */
export function sameRuns(versions: Manifest[]): boolean {
  const texts = versions.map(({ runs }) =>
    runs.map(({ firstBucket, inbox, outbox }) => [firstBucket, inbox, outbox].join(' ')).join(),
  );
  return new Set(texts).size === 1;
}
