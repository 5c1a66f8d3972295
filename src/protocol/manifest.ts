/**
 * The manifest: which actors with which keys, which placement, which policy; signed by the root key.
 *
 *   manifest  the fields of its definition below, in that order
 *   hash      H(csign1mf ‖ manifest);  server id = hash of version 1
 *   signed    countersign/v1 manifest ‖ manifest
 */
import { checkKey, isGoodKey, type PublicKey, sha256, trustedPublicKey, verifierOf } from '#crypto';
import { ROLE, type Role } from './attestation.js';
import { ascii, concat, equalBytes, FormatError, toHex, Writer, ZERO_HASH } from './bytes.js';
import { decode, type Field, hash, list, struct, u8, u16, u32, u64, type ValueOf } from './fields.js';
import { type Json, toJson } from './fields-json.js';
import { BUCKETS } from './limits.js';

const HASH_TAG = ascii('csign1mf');
const DOMAIN = ascii('countersign/v1 manifest');

export const SUBMISSIONS = { off: 0, accepted: 1, required: 2 } as const;

/** Last epoch 0 = still in use. */
const actor = struct({
  role: u8 as Field<Role>,
  index: u16,
  key: hash,
  firstEpoch: u64,
  lastEpoch: u64,
});
export type ManifestActor = ValueOf<typeof actor>;

/** Buckets from `firstBucket` up to the next run's belong to this inbox and outbox. */
const bucketRun = struct({ firstBucket: u16, inbox: u16, outbox: u16 });
export type BucketRun = ValueOf<typeof bucketRun>;

/** Submissions: one of `SUBMISSIONS`. Retention: epochs for which stage outputs are kept. */
const policy = struct({
  submissions: u8,
  retentionEpochs: u64,
  messagesPerEpoch: u32,
  bytesPerEpoch: u32,
  recipients: u32,
  bodyBytes: u32,
  envelopeBytes: u32,
  bundlesPerFrame: u32,
  countersKept: u32,
});
export type Policy = ValueOf<typeof policy>;
/** The last bytes of a manifest. */
/** Of an answer with manifests, in JSON. */
export const MOST_MANIFESTS_BYTES = 64 << 20;
export const POLICY_BYTES = 37;

/** Actors are sorted by (role, index, first epoch); buckets by the first one, which starts at 0. */
const manifest = struct({
  version: u32,
  previousHash: hash,
  nonce: hash,
  rootKey: hash,
  actors: list(u16, actor),
  buckets: list(u16, bucketRun),
  policy,
});
export type Manifest = ValueOf<typeof manifest>;

export function encodeManifest(value: Manifest): Uint8Array {
  const out = new Writer(512);
  manifest.write(out, value);
  return out.done();
}

/** As frames are in JSON. */
export const manifestToJson = (value: Manifest): Json => toJson(manifest, value);

/** Throws `FormatError` on bytes that are no manifest, on unsorted actors or runs, on a bad key. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const value = parseManifest(bytes);
  must(keysIn(value).every(isGood), KEY_RULE);
  return value;
}

function isGood(key: Uint8Array): boolean {
  try {
    checkKey(key);
    return true;
  } catch {
    return false;
  }
}

/** Leaves the key rule to the caller. */
function parseManifest(bytes: Uint8Array): Manifest {
  const value = decode(manifest, bytes);
  checkManifest(value);
  return value;
}

const keysIn = ({ rootKey, actors }: Manifest) => [rootKey, ...actors.map(({ key }) => key)];
const KEY_RULE = 'bad key';
const ROOT_SIGNATURE = 'bad root signature';

function must(good: boolean, rule: string): void {
  if (!good) throw new FormatError(`manifest: ${rule}`);
}

function checkManifest(manifest: Manifest): void {
  const { version, previousHash, policy, actors, buckets } = manifest;
  const isFirst = version === 1;
  must(version > 0 && isFirst === equalBytes(previousHash, ZERO_HASH), 'version');
  must(policy.submissions <= SUBMISSIONS.required, 'policy');
  must(actors.every(isActor) && rises(actors, follows), 'actors sorted');
  // A key stands for one actor only: were it shared, two honest statements of one epoch would look like one
  // actor saying two things.
  must(new Set(actors.map(({ key }) => toHex(key))).size === actors.length, 'a key twice');
  // Positions in the epoch leaf follow from the manifest alone, so actors in use are numbered without a gap
  // and paired (router with inbox, receiver with outbox).
  const [inboxes, routers, receivers, outboxes, sequencers] = Object.values(ROLE).map((role) => {
    const used = inUse(manifest, role);
    return used.every(({ index }, i) => index === i) ? used.length : 0;
  });
  must(
    inboxes! > 0 && inboxes === routers && outboxes! > 0 && outboxes === receivers && sequencers === 1,
    'actors in pairs',
  );
  must(
    buckets[0]?.firstBucket === 0 &&
      rises(buckets, (before, { firstBucket }) => firstBucket > before.firstBucket) &&
      buckets.every((run) => run.firstBucket < BUCKETS && run.inbox < inboxes! && run.outbox < outboxes!),
    'buckets',
  );
}

function rises<T>(list: readonly T[], follows: (before: T, after: T) => boolean): boolean {
  return list.every((each, i) => i === 0 || follows(list[i - 1]!, each));
}

function isActor({ role, firstEpoch, lastEpoch }: ManifestActor): boolean {
  return role >= ROLE.inbox && role <= ROLE.sequencer && (lastEpoch === 0 || lastEpoch >= firstEpoch);
}

function follows(before: ManifestActor, after: ManifestActor): boolean {
  const isSuccessor = before.role === after.role && before.index === after.index;
  const isOver = before.lastEpoch !== 0 && before.lastEpoch < after.firstEpoch;
  return compareActors(before, after) < 0 && (!isSuccessor || isOver);
}

function compareActors(a: ManifestActor, b: ManifestActor): number {
  return a.role - b.role || a.index - b.index || a.firstEpoch - b.firstEpoch;
}

function inUse({ actors }: Manifest, role: Role): ManifestActor[] {
  return actors.filter((actor) => actor.role === role && actor.lastEpoch === 0);
}

/** How many actors of a role the manifest has in use. */
export function countActors(manifest: Manifest, role: Role): number {
  return inUse(manifest, role).length;
}

/** Inboxes, each with its router, and outboxes, each with its receiver. */
export interface ActorCounts {
  readonly inboxes: number;
  readonly outboxes: number;
}

export function countsIn(manifest: Manifest): ActorCounts {
  return { inboxes: countActors(manifest, ROLE.inbox), outboxes: countActors(manifest, ROLE.outbox) };
}

/** The key in use of an actor. Throws `FormatError` when the manifest has no such actor. */
export function actorKey(manifest: Manifest, role: Role, index: number): Uint8Array {
  const actor = inUse(manifest, role).find((each) => each.index === index);
  must(actor !== undefined, `no actor ${index} of role ${role}`);
  return actor!.key;
}

/** Position of an actor of role 1 to 4 among an epoch's attestations, sorted by (role, index). */
export function actorPosition(manifest: Manifest, role: Role, index: number): number {
  let position = index;
  for (let before = ROLE.inbox as number; before < role; before++)
    position += countActors(manifest, before as Role);
  return position;
}

/** Attestations in an epoch: all actors of roles 1 to 4. */
export function epochActors(manifest: Manifest): number {
  return actorPosition(manifest, ROLE.sequencer, 0);
}

/** H(`csign1mf` ‖ bytes). */
export function manifestHash(bytes: Uint8Array): Uint8Array {
  return sha256(concat(HASH_TAG, bytes));
}

/** `countersign/v1 manifest` ‖ bytes. */
export function manifestSigned(bytes: Uint8Array): Uint8Array {
  return concat(DOMAIN, bytes);
}

/**
 * Reads a manifest that a server handed over and checks its root signature. Throws `FormatError`
 * when the bytes or the signature are bad. The caller compares the hash with the server id it knows.
 */
export function openManifest(bytes: Uint8Array, signature: Uint8Array): Manifest {
  const manifest = decodeManifest(bytes);
  must(trustedPublicKey(manifest.rootKey).verify(manifestSigned(bytes), signature), ROOT_SIGNATURE);
  return manifest;
}

/** The same, where a platform judges keys and signatures later. */
export async function openManifestLater(bytes: Uint8Array, signature: Uint8Array): Promise<Manifest> {
  const manifest = parseManifest(bytes);
  const good = await Promise.all(keysIn(manifest).map(isGoodKey));
  must(good.every(Boolean), KEY_RULE);
  must(await verifierOf(manifest.rootKey).verify(manifestSigned(bytes), signature), ROOT_SIGNATURE);
  return manifest;
}

/** The manifest's actor keys, parsed once each. */
export class KeyBook<Key> {
  private readonly keys = new Map<number, Key>();

  /** `manifest` is decoded or opened: its keys have been held against the rule. */
  constructor(
    private readonly manifest: Manifest,
    private readonly parse: (key: Uint8Array) => Key,
  ) {}

  /** Throws `FormatError` when the manifest has no such actor. */
  get(role: Role, index: number): Key {
    const slot = role * 0x1_0000 + index;
    let key = this.keys.get(slot);
    if (key === undefined) {
      key = this.parse(actorKey(this.manifest, role, index));
      this.keys.set(slot, key);
    }
    return key;
  }
}

export type PublicKeyBook = KeyBook<PublicKey>;

const books = new WeakMap<Manifest, PublicKeyBook>();

/** The key book of a manifest that `decodeManifest` made: the same one each time. */
export function keysOf(manifest: Manifest): PublicKeyBook {
  let book = books.get(manifest);
  if (!book) {
    book = new KeyBook(manifest, trustedPublicKey);
    books.set(manifest, book);
  }
  return book;
}
