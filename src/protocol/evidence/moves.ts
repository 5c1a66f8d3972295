/**
 * Ids that are moved from one actor to another. What an actor knows of an id from before the last move it was told, by
 * another actor, which may have lied: so two statements of one actor about an id are held against each other only where it
 * has had the id all the time, by all versions of the manifest from the one to the other.
 */
import type { Manifest } from '../manifest.js';
import { inForceFrom } from '../manifest-chain.js';
import { type PlacedAt, placementOf, placesAlike } from '../placement.js';
import { type Court, must, type Said } from './court.js';

/**
 * Versions of the manifest that two statements name, and those between them, the lowest first. With `epoch`: also those
 * since the one that is in force in it.
 */
export function versionsBetween(
  court: Court,
  { manifest: a }: Said,
  { manifest: b }: Said,
  epoch = Number.MAX_SAFE_INTEGER,
): readonly Manifest[] {
  const upTo = court.versions.filter(({ version }) => version <= Math.max(a.version, b.version));
  const inForce = upTo.findLast((manifest) => inForceFrom(manifest) <= epoch) ?? upTo[0]!;
  const from = Math.min(a.version, b.version, inForce.version);
  return upTo.filter(({ version }) => version >= from);
}

/** Whether all these versions place an id at one inbox (outbox). */
export function stays(
  court: Court,
  id: Uint8Array,
  kind: keyof PlacedAt,
  versions: readonly Manifest[],
): boolean {
  const actors = versions.map((manifest) => placementOf(manifest, court.serverId, id)[kind]);
  return actors.every((actor) => actor === actors[0]);
}

/** Throws `FormatError` where they do not. */
export function mustStay(...asked: Parameters<typeof stays>): void {
  must(stays(...asked), 'it was moved meanwhile');
}

/** Throws `FormatError` unless these versions place all ids alike. */
export function mustPlaceAlike(versions: readonly Manifest[]): void {
  must(
    versions.every((manifest) => placesAlike(manifest, versions[0]!)),
    'buckets were moved meanwhile',
  );
}
