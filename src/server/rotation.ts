/**
 * New keys for actors of a server that is stopped: a next version of the manifest, in force from the first epoch that
 * no key has signed yet.
 *
 *   keys/next/  the new keys, durable before the store has a manifest that names them
 *   store       the manifest, and the epoch that numbering goes on above: one transaction, which decides
 *   keys/       the new keys in the place of the old ones, whose secrets are gone with that
 *
 * Wherever it is cut short, `settleKeys` finishes it or takes it back, as the store has decided.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { importSecretKey, randomBytes } from '#crypto';
import type { StoreRecord } from '../actors/messages.js';
import { RESERVED_KEY } from '../actors/sequencer.js';
import { numberValue } from '../actors/store-keys.js';
import {
  countActors,
  equalBytes,
  type Manifest,
  type ManifestActor,
  MOST_MANIFESTS,
  openManifests,
  ROLE,
  toHex,
} from '../protocol/index.js';
import { lockDataDirectory } from './data-lock.js';
import { syncDirectory } from './durable-file.js';
import { checkKeys, type Identity, readIdentity, signManifest } from './founding.js';
import { keyNameOf, loadOrCreateKeys, readKeyFile, writeKeyFile } from './keys.js';
import { OperatorError } from './operator-error.js';
import { type RecoveryStore, recoverLog } from './recovery.js';
import { Store } from './store.js';
import { checkStoreFile } from './store-file.js';

export interface Rotated {
  readonly version: number;
  /** In hexadecimal. */
  readonly manifestHash: string;
  /** The first epoch that is signed with the new keys. */
  readonly firstEpoch: number;
  /** Such as `inbox-0`, with its new public key in hexadecimal. */
  readonly actors: readonly { readonly actor: string; readonly key: string }[];
}

/** Told what is done next; a test may crash the process there. */
export type ObserveRotation = (step: string) => void;

/**
 * `names`: actors such as `inbox-0`; null: all. Throws `OperatorError`: `data-locked` while a server runs on the directory,
 * `data-not-found`, `actor-unknown`, `manifest-limit`, and as a start does.
 */
export async function rotateKeys(
  data: string,
  names: readonly string[] | null,
  observe: ObserveRotation = () => {},
): Promise<Rotated> {
  // Before anything is made there: it may be anybody's directory.
  checkStoreFile(join(data, 'store', 'data.mdb'));
  const lock = await lockDataDirectory(data);
  try {
    let failed = (_: Error) => {};
    const failure = new Promise<never>((_, reject) => {
      failed = reject;
    });
    const store = Store.open(data, failed);
    try {
      return await Promise.race([rotate(store, data, names, observe), failure]);
    } finally {
      await store.close();
    }
  } finally {
    await lock.release();
  }
}

async function rotate(
  store: Store,
  data: string,
  names: readonly string[] | null,
  observe: ObserveRotation,
): Promise<Rotated> {
  const identity = readIdentity(store);
  if (!identity) throw noServer(data);
  if (identity.manifests.length >= MOST_MANIFESTS) throw tooMany();
  const { manifest } = identity;
  await settleKeys(data, manifest);
  const counts = { inboxes: countActors(manifest, ROLE.inbox), outboxes: countActors(manifest, ROLE.outbox) };
  const keys = await loadOrCreateKeys(data, counts);
  checkKeys(identity, keys);
  const chosen = actorsNamed(manifest, names);
  const made = await makeKeys(data, chosen, observe);
  const next = nextVersion(store, identity, chosen, made, keys.root);
  observe('write the manifest');
  await new Promise<void>((done) => store.write(next.records, done));
  await settleKeys(data, next.manifest, observe);
  return {
    version: next.manifest.version,
    manifestHash: toHex(next.hash),
    firstEpoch: next.firstEpoch,
    actors: chosen.map(({ role, index }, i) => ({
      actor: actorName(role, index),
      key: toHex(made[i]!),
    })),
  };
}

const actorName = (role: ManifestActor['role'], index: number) => keyNameOf(role, index).replace('.key', '');

function actorsNamed({ actors }: Manifest, names: readonly string[] | null): ManifestActor[] {
  const inUse = actors.filter(({ lastEpoch }) => lastEpoch === 0);
  const known = new Map(inUse.map((actor) => [actorName(actor.role, actor.index), actor]));
  for (const name of names ?? []) if (!known.has(name)) throw unknownActor(name, [...known.keys()]);
  return inUse.filter(({ role, index }) => !names || names.includes(actorName(role, index)));
}

/** Public keys, of the secrets that are durable in `keys/next/` now. */
async function makeKeys(
  data: string,
  actors: readonly ManifestActor[],
  observe: ObserveRotation,
): Promise<Uint8Array[]> {
  const directory = nextDirectory(data);
  observe('make the directory of the next keys');
  await mkdir(directory, { mode: 0o700 });
  await syncDirectory(join(data, 'keys'));
  const made: Uint8Array[] = [];
  for (const { role, index } of actors) {
    const file = keyNameOf(role, index);
    observe(`make the next ${file}`);
    await writeKeyFile(join(directory, file), randomBytes(32));
    made.push(importSecretKey(await readKeyFile(join(directory, file))).publicKey);
  }
  return made;
}

export interface NextVersion {
  readonly manifest: Manifest;
  readonly hash: Uint8Array;
  /** The first epoch that it is in force for. */
  readonly firstEpoch: number;
  /** Of the one transaction that puts it in force. */
  readonly records: readonly StoreRecord[];
}

/** `chosen`: actors in use of the newest manifest; `keys`: the next public key of each. */
export function nextVersion(
  store: RecoveryStore,
  identity: Identity,
  chosen: readonly ManifestActor[],
  keys: readonly Uint8Array[],
  rootSeed: Uint8Array,
): NextVersion {
  const { actors } = identity.manifest;
  // No key has signed anything above what is reserved; one that has signed nothing ends in its first epoch.
  const last = Math.max(recoverLog(store).reserved, ...actors.map(({ firstEpoch }) => firstEpoch));
  const manifest = nextManifest(identity, chosen, keys, last);
  const { record, ...signed } = signManifest(manifest, rootSeed);
  const { hash } = openManifests([...identity.manifests, signed]).at(-1)!;
  const records = [record, { key: RESERVED_KEY, value: numberValue(last) }];
  return { manifest, hash, firstEpoch: last + 1, records };
}

function nextManifest(
  { manifest, manifestHash }: Identity,
  chosen: readonly ManifestActor[],
  keys: readonly Uint8Array[],
  last: number,
): Manifest {
  const actors = manifest.actors
    .filter(({ lastEpoch }) => lastEpoch === 0)
    .flatMap((actor) => {
      const at = chosen.indexOf(actor);
      const begun = { ...actor, key: keys[at]!, firstEpoch: last + 1 };
      return at < 0 ? [actor] : [{ ...actor, lastEpoch: last }, begun];
    });
  return { ...manifest, version: manifest.version + 1, previousHash: manifestHash, actors };
}

const nextDirectory = (data: string) => join(data, 'keys', 'next');

/**
 * Puts the keys in `keys/next/` in their places, if the manifest names them, or throws them away. Hold the data lock
 * meanwhile.
 */
export async function settleKeys(
  data: string,
  { actors }: Manifest,
  observe: ObserveRotation = () => {},
): Promise<void> {
  const directory = nextDirectory(data);
  const names = await readdir(directory).catch(() => null);
  if (!names) return;
  for (const name of names.filter((each) => each.endsWith('.key')).sort()) {
    const key = importSecretKey(await readKeyFile(join(directory, name))).publicKey;
    const isNamed = actors.some(
      (actor) =>
        actor.lastEpoch === 0 && keyNameOf(actor.role, actor.index) === name && equalBytes(actor.key, key),
    );
    if (!isNamed) continue;
    observe(`put ${name} in its place`);
    await rename(join(directory, name), join(data, 'keys', name));
  }
  await syncDirectory(join(data, 'keys'));
  observe('remove the directory of the next keys');
  await rm(directory, { recursive: true });
  await syncDirectory(join(data, 'keys'));
}

function noServer(data: string): OperatorError {
  const next = 'Name the directory that the server was started with (--data).';
  return new OperatorError('data-not-found', `the store in ${data} has no manifest of a server`, next);
}

function tooMany(): OperatorError {
  return new OperatorError(
    'manifest-limit',
    `the manifest has come to version ${MOST_MANIFESTS}, the highest that evidence can name`,
    'Let clients move to a new server.',
  );
}

function unknownActor(name: string, known: readonly string[]): OperatorError {
  const next = `Its actors: ${known.join(', ')}; or all.`;
  return new OperatorError('actor-unknown', `this server has no actor ${name}`, next);
}
