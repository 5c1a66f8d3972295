/**
 * Placement: which inbox takes an id's bundles, which outbox keeps its mailbox.
 *
 *   leaf    0x00 ‖ csign1pl ‖ id 32 ‖ inbox 2 ‖ outbox 2, sorted by id (exceptions only)
 *   bucket  first 8 bytes of H(csign1bk ‖ server id 32 ‖ id 32) as u64, mod 4096
 *
 * Keyed with the server id, so that nobody can grind ids that all fall into one bucket beforehand.
 */
import { sha256, sha256Into } from '#crypto';
import { ascii, concat, getU16, Writer } from './bytes.js';
import { BUCKETS } from './limits.js';
import type { Manifest } from './manifest.js';
import { merkleRoot } from './merkle-tree.js';

const LEAF_PREFIX = /* @__PURE__ */ ascii('\0csign1pl');
const BUCKET_TAG = ascii('csign1bk');

export interface PlacementException {
  readonly id: Uint8Array;
  readonly inbox: number;
  readonly outbox: number;
}

export interface PlacedAt {
  readonly inbox: number;
  readonly outbox: number;
}

/** The root over the sorted exceptions; H("") without any. */
export function placementRoot(exceptions: readonly PlacementException[]): Uint8Array {
  return merkleRoot(
    concat(
      ...exceptions.map(({ id, inbox, outbox }) =>
        sha256(new Writer(45).bytes(LEAF_PREFIX).bytes(id).u16(inbox).u16(outbox).done()),
      ),
    ),
  );
}

/** The bucket of an id: 0 to 4095. 4096 divides 2^16, so the last two of the eight bytes decide. */
export function bucketOf(serverId: Uint8Array, id: Uint8Array): number {
  return getU16(sha256(concat(BUCKET_TAG, serverId, id)), 6) % BUCKETS;
}

/** `bucketOf` for many ids of one server, in a quarter of its time. */
export function bucketsOf(serverId: Uint8Array): (id: Uint8Array) => number {
  const preimage = concat(BUCKET_TAG, serverId, new Uint8Array(32));
  const hash = new Uint8Array(32);
  return (id) => {
    preimage.set(id, 40);
    sha256Into(preimage, hash, 0);
    return getU16(hash, 6) % BUCKETS;
  };
}

/** By bucket: where its ids are placed. */
export function placesOf({ buckets }: Manifest): PlacedAt[] {
  const places: PlacedAt[] = [];
  for (let bucket = 0, run = 0; bucket < BUCKETS; bucket++) {
    if (buckets[run + 1]?.firstBucket === bucket) run++;
    places.push(buckets[run]!);
  }
  return places;
}

/** Where an id without an exception is placed: the run that its bucket lies in. */
export function placementOf(manifest: Manifest, serverId: Uint8Array, id: Uint8Array): PlacedAt {
  const bucket = bucketOf(serverId, id);
  let placed = manifest.buckets[0]!;
  for (const run of manifest.buckets) if (run.firstBucket <= bucket) placed = run;
  return placed;
}

/** Whether two manifests place every id alike; by their runs, which may be written in another way for the same. */
export function placesAlike({ buckets: a }: Manifest, { buckets: b }: Manifest): boolean {
  return (
    a.length === b.length &&
    a.every((run, i) => {
      const { firstBucket, inbox, outbox } = b[i]!;
      return run.firstBucket === firstBucket && run.inbox === inbox && run.outbox === outbox;
    })
  );
}

/** Equal runs of buckets over `inboxes` and `outboxes`: the first manifest's placement. */
export function evenBuckets(
  inboxes: number,
  outboxes: number,
): { firstBucket: number; inbox: number; outbox: number }[] {
  // Inbox and outbox vary independently: bucket b goes to outbox floor(b·R/4096), and within an
  // outbox's buckets the inboxes take equal runs.
  const runs: { firstBucket: number; inbox: number; outbox: number }[] = [];
  for (let outbox = 0; outbox < outboxes; outbox++) {
    const from = Math.ceil((outbox * BUCKETS) / outboxes);
    const to = Math.ceil(((outbox + 1) * BUCKETS) / outboxes);
    for (let inbox = 0; inbox < inboxes; inbox++) {
      const firstBucket = from + Math.ceil((inbox * (to - from)) / inboxes);
      if (firstBucket < from + Math.ceil(((inbox + 1) * (to - from)) / inboxes))
        runs.push({ firstBucket, inbox, outbox });
    }
  }
  return runs;
}
