/** The server's identity: its first manifest, made and signed at the first start and kept in the store. */
import { importSecretKey, randomBytes } from '#crypto';
import { metaKey, numberValue } from '../actors/store-keys.js';
import {
  concat,
  decodeManifest,
  encodeManifest,
  equalBytes,
  evenBuckets,
  getU32,
  getU64,
  type Manifest,
  type ManifestActor,
  manifestHash,
  manifestSigned,
  openManifest,
  type Policy,
  putU32,
  ROLE,
  ROLE_NAMES,
  type Role,
  SUBMISSIONS,
  ZERO_HASH,
} from '../protocol/index.js';
import { type Config, describeConfig } from './config.js';
import type { ServerKeys } from './keys.js';
import { OperatorError } from './operator-error.js';
import type { Store } from './store.js';

export interface Identity {
  readonly serverId: Uint8Array;
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly manifestSignature: Uint8Array;
}

const MANIFEST_KEY = metaKey('manifest');
const FORMAT_KEY = metaKey('format');
/** Of what is stored: raised whenever an older version's records would be misread. 3: inbox rows share their submission hashes. */
export const FORMAT = 3;

/**
 * The manifest in the store, if there is one. Its actors and limits bind every later start. Throws `OperatorError`
 * `data-format` when another version wrote the store in another way.
 */
export function readIdentity(store: Pick<Store, 'get'>): Identity | null {
  const record = store.get(MANIFEST_KEY);
  if (!record) return null;
  checkFormat(store);
  const length = getU32(record, 0);
  return identityOf(record.slice(4, 4 + length), record.slice(4 + length));
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

function identityOf(manifestBytes: Uint8Array, manifestSignature: Uint8Array): Identity {
  const manifest = openManifest(manifestBytes, manifestSignature);
  return { serverId: manifestHash(manifestBytes), manifest, manifestBytes, manifestSignature };
}

/** Makes version 1 from configuration and keys, and makes it durable. */
export async function found(
  store: Pick<Store, 'write'>,
  config: Config,
  keys: ServerKeys,
): Promise<Identity> {
  const root = importSecretKey(keys.root);
  const bytes = encodeManifest({
    version: 1,
    previousHash: ZERO_HASH,
    nonce: randomBytes(32),
    rootKey: root.publicKey,
    actors: actorsOf(keys),
    buckets: evenBuckets(config.inboxes, config.outboxes),
    policy: policyOf(config),
  });
  decodeManifest(bytes);
  const signature = root.sign(manifestSigned(bytes));
  const length = new Uint8Array(4);
  putU32(length, 0, bytes.length);
  const records = [
    { key: MANIFEST_KEY, value: concat(length, bytes, signature) },
    { key: FORMAT_KEY, value: numberValue(FORMAT) },
  ];
  await new Promise<void>((done) => store.write(records, done));
  return identityOf(bytes, signature);
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
  for (const { role, index, key } of manifest.actors) {
    const mine = expected.find((actor) => actor.role === role && actor.index === index);
    if (mine && equalBytes(mine.key, key)) continue;
    const file = role === ROLE.sequencer ? 'sequencer-0.key' : `${ROLE_NAMES[role]}-${index}.key`;
    throw new OperatorError(
      'keys-differ',
      `keys/${file} is not the key that this server's manifest names`,
      'Restore the keys directory from the backup of this data directory.',
    );
  }
}

/**
 * The configuration as this data directory allows it: numbers of actors and limits are in the
 * manifest. Throws `OperatorError` `manifest-differs` when something else was asked for expressly.
 */
export function boundByManifest(config: Config, { manifest }: Identity): Config {
  const { policy, actors } = manifest;
  const count = (role: Role) => actors.filter((actor) => actor.role === role).length;
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
    throw new OperatorError(
      'manifest-differs',
      `${key} is ${bound} in the manifest of this data directory, and ${value} was asked for`,
      `Leave ${key} out, or start with a new data directory.`,
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
