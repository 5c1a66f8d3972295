/** The server's identity: its first manifest, made and signed at the first start and kept in the store. */
import { importSecretKey, randomBytes } from '#crypto';
import type { StoreRecord } from '../actors/messages.js';
import { metaKey, numberValue } from '../actors/store-keys.js';
import {
  concat,
  countActors,
  decodeManifest,
  encodeManifest,
  equalBytes,
  evenBuckets,
  getU32,
  getU64,
  type Manifest,
  type ManifestActor,
  manifestSigned,
  type OpenedManifest,
  openManifests,
  type Policy,
  putU32,
  ROLE,
  type Role,
  type SignedManifest,
  SUBMISSIONS,
  ZERO_HASH,
} from '../protocol/index.js';
import { type Config, describeConfig } from './config.js';
import { keyNameOf, type ServerKeys } from './keys.js';
import { OperatorError } from './operator-error.js';
import type { Store } from './store.js';

export interface Identity {
  readonly serverId: Uint8Array;
  /** The newest. */
  readonly manifest: Manifest;
  readonly manifestHash: Uint8Array;
  /** All versions. */
  readonly manifests: readonly OpenedManifest[];
}

/** Where a version of the manifest is kept: length 4 ‖ bytes ‖ root signature 64. */
const manifestKey = (version: number) => metaKey(version === 1 ? 'manifest' : `manifest ${version}`);
const FORMAT_KEY = metaKey('format');
/** Of what is stored: raised whenever an older version's records would be misread. 3: inbox rows share their submission hashes. */
export const FORMAT = 3;

/**
 * The manifests in the store, if there are any. Actors and limits of the newest bind every later start. Throws
 * `OperatorError` `data-format` when another version wrote the store in another way.
 */
export function readIdentity(store: Pick<Store, 'get'>): Identity | null {
  const signed: SignedManifest[] = [];
  for (let record = store.get(manifestKey(1)); record; record = store.get(manifestKey(signed.length + 1))) {
    if (signed.length === 0) checkFormat(store);
    const length = getU32(record, 0);
    signed.push({ bytes: record.slice(4, 4 + length), signature: record.slice(4 + length) });
  }
  return signed.length === 0 ? null : identityOf(signed);
}

function checkFormat(store: Pick<Store, 'get'>): void {
  const record = store.get(FORMAT_KEY);
  const format = record ? getU64(record, 0) : 1;
  if (format === FORMAT) return;
  throw new OperatorError(
    'data-format',
    `the data directory is written in format ${format}, and this version reads format ${FORMAT}`,
    'Run the version that wrote it until all mail is acknowledged, then start with a new data directory.',
  );
}

function identityOf(signed: readonly SignedManifest[]): Identity {
  const manifests = openManifests(signed);
  const { manifest, hash } = manifests.at(-1)!;
  return { serverId: manifests[0]!.hash, manifest, manifestHash: hash, manifests };
}

/** A manifest with its root signature, and the record that keeps it. Throws `FormatError` on one that is none. */
export function signManifest(
  manifest: Manifest,
  rootSeed: Uint8Array,
): SignedManifest & { record: StoreRecord } {
  const bytes = encodeManifest(manifest);
  decodeManifest(bytes);
  const signature = importSecretKey(rootSeed).sign(manifestSigned(bytes));
  const length = new Uint8Array(4);
  putU32(length, 0, bytes.length);
  const record = { key: manifestKey(manifest.version), value: concat(length, bytes, signature) };
  return { bytes, signature, record };
}

/** Makes version 1 from configuration and keys, and makes it durable. */
export async function found(
  store: Pick<Store, 'write'>,
  config: Config,
  keys: ServerKeys,
): Promise<Identity> {
  const manifest = {
    version: 1,
    previousHash: ZERO_HASH,
    nonce: randomBytes(32),
    rootKey: importSecretKey(keys.root).publicKey,
    actors: actorsOf(keys),
    buckets: evenBuckets(config.inboxes, config.outboxes),
    policy: policyOf(config),
  };
  const { record, ...signed } = signManifest(manifest, keys.root);
  const records = [record, { key: FORMAT_KEY, value: numberValue(FORMAT) }];
  await new Promise<void>((done) => store.write(records, done));
  return identityOf([signed]);
}

const SUBMISSION_POLICIES = Object.keys(SUBMISSIONS) as (keyof typeof SUBMISSIONS)[];

function policyOf({ limits, ...config }: Config): Policy {
  const {
    retentionEpochs,
    messagesPerEpoch,
    bytesPerEpoch,
    recipients,
    bodyBytes,
    envelopeBytes,
    bundlesPerFrame,
    countersKept,
  } = limits;
  const submissions = SUBMISSIONS[config.submissions];
  return {
    submissions,
    retentionEpochs,
    messagesPerEpoch,
    bytesPerEpoch,
    recipients,
    bodyBytes,
    envelopeBytes,
    bundlesPerFrame,
    countersKept,
  };
}

function actorsOf(keys: ServerKeys): ManifestActor[] {
  const of = (role: Role, seeds: readonly Uint8Array[]) =>
    seeds.map((seed, index) => ({
      role,
      index,
      key: importSecretKey(seed).publicKey,
      firstEpoch: 1,
      lastEpoch: 0,
    }));
  return [
    ...of(ROLE.inbox, keys.inboxes),
    ...of(ROLE.router, keys.routers),
    ...of(ROLE.receiver, keys.receivers),
    ...of(ROLE.outbox, keys.outboxes),
    ...of(ROLE.sequencer, [keys.sequencer]),
  ];
}

/** Throws `OperatorError` `keys-differ` when a key file is not the key that the manifest names. */
export function checkKeys({ manifest }: Identity, keys: ServerKeys): void {
  const expected = actorsOf(keys);
  for (const { role, index, key, lastEpoch } of manifest.actors) {
    if (lastEpoch !== 0) continue;
    const mine = expected.find((actor) => actor.role === role && actor.index === index);
    if (mine && equalBytes(mine.key, key)) continue;
    throw new OperatorError(
      'keys-differ',
      `keys/${keyNameOf(role, index)} is not the key that this server's manifest names`,
      'Restore the keys directory from the backup of this data directory.',
    );
  }
}

/**
 * The configuration as this data directory allows it: numbers of actors and limits are in the
 * manifest. Throws `OperatorError` `manifest-differs` when something else was asked for expressly.
 */
export function boundByManifest(config: Config, { manifest }: Identity): Config {
  const { policy } = manifest;
  const count = (role: Role) => countActors(manifest, role);
  const submissions = SUBMISSION_POLICIES.find((name) => SUBMISSIONS[name] === policy.submissions)!;
  const fixed = new Map<string, number | string>([
    ['submissions', submissions],
    ['inboxes', count(ROLE.inbox)],
    ['outboxes', count(ROLE.outbox)],
    ...Object.entries(policy)
      .filter(([key]) => key !== 'submissions')
      .map(([key, value]): [string, number] => [`limits.${key}`, value as number]),
  ]);
  for (const { key, value, source } of describeConfig(config)) {
    const bound = fixed.get(key);
    if (bound === undefined || bound === value || source === 'default') continue;
    const isCount = key === 'inboxes' || key === 'outboxes';
    const change = `change it first: countersign actors --data ${config.data} --${key} ${value}`;
    throw new OperatorError(
      'manifest-differs',
      `${key} is ${bound} in the manifest of this data directory, and ${value} was asked for`,
      `Leave ${key} out, or ${isCount ? change : 'start with a new data directory'}.`,
    );
  }
  const { submissions: _, ...limits } = policy;
  return {
    ...config,
    submissions,
    inboxes: count(ROLE.inbox),
    outboxes: count(ROLE.outbox),
    limits: { ...config.limits, ...limits },
  };
}
