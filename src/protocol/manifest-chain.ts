/**
 * The manifests of a server, from version 1 on: each signed by the root key, each naming the hash of the one before. A
 * next version gives actors new keys, lets inboxes and outboxes begin or end, and may place buckets elsewhere; root key,
 * nonce and policy stay.
 *
 *   in force from  the highest of the first epochs of its keys in use, and of last epoch + 1 of those that end in it;
 *                  until that of the next version
 *
 * A key is in every version from the one that it begins with to the one that it ends in, and in none after that: so a
 * manifest does not grow over the years. Which version is in force follows from keys alone, so one that changes none,
 * and places buckets elsewhere, is none.
 */
import { concat, equalBytes, FormatError, toHex } from './bytes.js';
import { type Manifest, manifestHash, openManifest, POLICY_BYTES } from './manifest.js';

/** Versions that a server may have: as many as evidence can have, and monthly ones of twenty years. */
export const MOST_MANIFESTS = 255;

/** A manifest as it is handed over, and its root signature. */
export interface SignedManifest {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** One whose root signature verifies. */
export interface AcceptedManifest extends SignedManifest {
  readonly hash: Uint8Array;
  readonly manifest: Manifest;
}

export interface OpenedManifest extends AcceptedManifest {
  /** The first epoch that it is in force for. */
  readonly from: number;
}

/** All versions, from the first one on. Throws `FormatError` on one that is badly signed, or does not follow. */
export function openManifests(signed: readonly SignedManifest[]): OpenedManifest[] {
  return inOrder(
    signed.map(({ bytes, signature }) => {
      return { bytes, signature, hash: manifestHash(bytes), manifest: openManifest(bytes, signature) };
    }),
  );
}

/** The same of accepted ones. Throws `FormatError` unless they are all versions from the first one on, and no key comes twice. */
export function inOrder(accepted: readonly AcceptedManifest[]): OpenedManifest[] {
  const all = accepted.map((each) => ({ ...each, from: inForceFrom(each.manifest) }));
  must(all.length > 0 && all.length <= MOST_MANIFESTS, `1 to ${MOST_MANIFESTS} versions`);
  must(all[0]!.manifest.version === 1, 'version 1 first');
  const known = new Set<string>();
  for (const [i, each] of all.entries()) {
    const before = i === 0 ? null : all[i - 1]!;
    if (before) checkNext(before, each);
    const begun = each.manifest.actors.filter(({ firstEpoch }) => !before || firstEpoch === each.from);
    for (const { key } of begun) {
      must(!known.has(toHex(key)), 'a key that was there before');
      known.add(toHex(key));
    }
  }
  return all;
}

/** The version that is in force in an epoch; the first one before them all. */
export function inForceAt<Version extends { readonly from: number }>(
  versions: readonly Version[],
  epoch: number,
): Version {
  return versions.findLast(({ from }) => epoch >= from) ?? versions[0]!;
}

/** Throws `FormatError` unless `next` is the version behind `before`. */
function checkNext(before: OpenedManifest, opened: OpenedManifest): void {
  const { manifest: next, from } = opened;
  const { version, actors } = before.manifest;
  must(
    next.version === version + 1 && equalBytes(next.previousHash, before.hash),
    'versions that do not follow each other',
  );
  must(
    equalBytes(unchanging(opened), unchanging(before)),
    'a version that changes more than actors and placement',
  );
  must(from > before.from, 'in force no later than the one before');
  const were = actors.filter(({ lastEpoch }) => lastEpoch === 0);
  const goOn = were.map((was) => {
    const is = next.actors.find(({ key }) => equalBytes(key, was.key));
    const isSame = is?.role === was.role && is.index === was.index && is.firstEpoch === was.firstEpoch;
    must(
      isSame && (is.lastEpoch === 0 || is.lastEpoch === from - 1),
      'a key in use that neither ends nor goes on',
    );
    return is;
  });
  const begun = next.actors.filter((each) => !goOn.includes(each));
  must(
    begun.every(({ firstEpoch, lastEpoch }) => firstEpoch === from && lastEpoch === 0),
    'a key that does not begin when the version does',
  );
}

/** Bytes of a manifest: version 4 ‖ previous hash 32 ‖ nonce 32 ‖ root key 32 ‖ actors ‖ buckets ‖ policy. */
function unchanging({ bytes }: OpenedManifest): Uint8Array {
  return concat(bytes.subarray(36, 100), bytes.subarray(-POLICY_BYTES));
}

/** The first epoch that a manifest is in force for. */
export function inForceFrom({ actors }: Manifest): number {
  return Math.max(
    ...actors.map(({ firstEpoch, lastEpoch }) => (lastEpoch === 0 ? firstEpoch : lastEpoch + 1)),
  );
}

function must(good: boolean, rule: string): asserts good {
  if (!good) throw new FormatError(`manifests: ${rule}`);
}
