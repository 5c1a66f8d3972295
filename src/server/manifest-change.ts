/**
 * A next version of the manifest of a server that is stopped, in force from the first epoch that no key has signed yet.
 *
 *   keys/next/  the new keys, durable before the store has a manifest that names them
 *   store       the manifest, the epoch that numbering goes on above, and what moves with it: one transaction, which decides
 *   keys/       the new keys in their places; the secrets of those that have ended are gone with that
 *
 * Wherever it is cut short, `settleKeys` finishes it or takes it back, as the store has decided.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { importSecretKey, randomBytes, type Signer } from '#crypto';
import type { StoreRecord } from '../actors/messages.js';
import { RESERVED_KEY } from '../actors/sequencer.js';
import { numberValue } from '../actors/store-keys.js';
import {
  type BucketRun,
  countsIn,
  equalBytes,
  type Manifest,
  type ManifestActor,
  MOST_MANIFESTS,
  openManifests,
  ROLE_NAMES,
  toHex,
} from '../protocol/index.js';
import { lockDataDirectory } from './data-lock.js';
import { syncDirectory } from './durable-file.js';
import { checkKeys, type Identity, readIdentity, signManifest } from './founding.js';
import { keyNameOf, loadOrCreateKeys, readKeyFile, seedOf, writeKeyFile } from './keys.js';
import type { TellProgress } from './moved-ids.js';
import { OperatorError } from './operator-error.js';
import { type RecoveryStore, recoverLog } from './recovery.js';
import { Store } from './store.js';
import { checkStoreFile } from './store-file.js';
import { checkTakenOver } from './taking-over.js';

/** An actor, as the manifest calls it. */
export type Slot = Pick<ManifestActor, 'role' | 'index'>;

/** What the next version changes. A key that ends and begins in one slot is a new key for an actor that goes on. */
export interface ManifestPlan {
  readonly ends: readonly Slot[];
  readonly begins: readonly Slot[];
  readonly buckets: readonly BucketRun[];
  /** Writes what moves with it, in its transaction. */
  readonly move?: (context: MoveContext) => void;
}

export interface MoveContext {
  readonly store: RecoveryStore;
  readonly write: (record: StoreRecord) => void;
  readonly identity: Identity;
  readonly next: Manifest;
  readonly nextHash: Uint8Array;
  readonly lastEpoch: number;
  /** Of an actor as the manifest before has it, and as the next one has it. */
  readonly signerBefore: (slot: Slot) => Signer;
  readonly signerAfter: (slot: Slot) => Signer;
  readonly observe: ObserveChange;
  readonly progress: TellProgress;
}

export interface ManifestChange {
  readonly version: number;
  /** In hexadecimal. */
  readonly manifestHash: string;
  /** The first epoch that it is in force for. */
  readonly firstEpoch: number;
  /** Such as `inbox-0`, with its new public key in hexadecimal. */
  readonly actors: readonly { readonly actor: string; readonly key: string }[];
}

/** Told what is done next; a test may crash the process there. */
export type ObserveChange = (step: string) => void;

/** Who is told of it while it lasts. */
export interface Watching {
  readonly observe?: ObserveChange;
  readonly progress?: TellProgress;
}

/**
 * Throws `OperatorError`: `data-locked` while a server runs on the directory, `data-not-found`, `manifest-limit`, and as a
 * start and `plan` do.
 */
export async function changeManifest(
  data: string,
  plan: (manifest: Manifest) => ManifestPlan,
  watching: Watching = {},
): Promise<ManifestChange> {
  // Before anything is made there: it may be anybody's directory.
  checkStoreFile(join(data, 'store', 'data.mdb'));
  const lock = await lockDataDirectory(data);
  try {
    // Nothing is written but in one transaction, which says itself when it fails.
    const store = Store.open(data, () => {});
    try {
      return await change(store, data, plan, watching);
    } finally {
      await store.close();
    }
  } finally {
    await lock.release();
  }
}

async function change(
  store: Store,
  data: string,
  plan: (manifest: Manifest) => ManifestPlan,
  { observe = () => {}, progress = () => {} }: Watching,
): Promise<ManifestChange> {
  const identity = readIdentity(store);
  if (!identity) throw noServer(data);
  if (identity.manifests.length >= MOST_MANIFESTS) throw tooMany();
  const { manifest } = identity;
  checkTakenOver(store, identity, progress);
  const planned = plan(manifest);
  await settleKeys(data, manifest);
  const keys = await loadOrCreateKeys(data, countsIn(manifest));
  checkKeys(identity, keys);
  const made = await makeKeys(data, planned.begins, observe);
  const {
    manifest: next,
    hash,
    firstEpoch,
    records,
  } = nextVersion(
    store,
    identity,
    planned,
    made.map(({ publicKey }) => publicKey),
    keys.root,
  );
  const { lastEpoch } = recoverLog(store);
  const signerBefore = (slot: Slot) => importSecretKey(seedOf(keys, slot));
  const signerAfter = (slot: Slot) =>
    made[planned.begins.findIndex((each) => isSame(each, slot))] ?? signerBefore(slot);
  store.transaction((write) => {
    const signers = { signerBefore, signerAfter };
    planned.move?.({
      store,
      write,
      identity,
      next,
      nextHash: hash,
      lastEpoch,
      ...signers,
      observe,
      progress,
    });
    observe('write the manifest');
    for (const record of records) write(record);
  });
  await settleKeys(data, next, observe);
  return {
    version: next.version,
    manifestHash: toHex(hash),
    firstEpoch,
    actors: planned.begins.map((slot, i) => ({ actor: actorName(slot), key: toHex(made[i]!.publicKey) })),
  };
}

const isSame = (a: Slot, b: Slot) => a.role === b.role && a.index === b.index;

export const actorName = ({ role, index }: Slot) => `${ROLE_NAMES[role]}-${index}`;

/** Of secrets that are durable in `keys/next/` now. */
async function makeKeys(data: string, slots: readonly Slot[], observe: ObserveChange): Promise<Signer[]> {
  const directory = nextDirectory(data);
  observe('make the directory of the next keys');
  await mkdir(directory, { mode: 0o700 });
  await syncDirectory(join(data, 'keys'));
  const made: Signer[] = [];
  for (const { role, index } of slots) {
    const file = keyNameOf(role, index);
    observe(`make the next ${file}`);
    await writeKeyFile(join(directory, file), randomBytes(32));
    made.push(importSecretKey(await readKeyFile(join(directory, file))));
  }
  return made;
}

export interface NextVersion {
  readonly manifest: Manifest;
  readonly hash: Uint8Array;
  /** The first epoch that it is in force for. */
  readonly firstEpoch: number;
  /** Of the transaction that puts it in force. */
  readonly records: readonly StoreRecord[];
}

/** `keys`: public keys of those that begin. */
export function nextVersion(
  store: RecoveryStore,
  identity: Identity,
  plan: Omit<ManifestPlan, 'move'>,
  keys: readonly Uint8Array[],
  rootSeed: Uint8Array,
): NextVersion {
  // No key has signed anything above what is reserved; a version without an epoch is in force for its first number all the same.
  const last = Math.max(recoverLog(store).reserved, identity.manifests.at(-1)!.from);
  const manifest = nextManifest(identity, plan, keys, last);
  const { record, ...signed } = signManifest(manifest, rootSeed);
  const { hash } = openManifests([...identity.manifests, signed]).at(-1)!;
  const records = [record, { key: RESERVED_KEY, value: numberValue(last) }];
  return { manifest, hash, firstEpoch: last + 1, records };
}

function nextManifest(
  { manifest, manifestHash }: Identity,
  { ends, begins, buckets }: Omit<ManifestPlan, 'move'>,
  keys: readonly Uint8Array[],
  last: number,
): Manifest {
  const inUse = manifest.actors.filter(({ lastEpoch }) => lastEpoch === 0);
  const old = inUse.map((actor) =>
    ends.some((slot) => isSame(slot, actor)) ? { ...actor, lastEpoch: last } : actor,
  );
  const begun = begins.map(({ role, index }, i) => {
    return { role, index, key: keys[i]!, firstEpoch: last + 1, lastEpoch: 0 };
  });
  const actors = [...old, ...begun].sort(
    (a, b) => a.role - b.role || a.index - b.index || a.firstEpoch - b.firstEpoch,
  );
  const version = manifest.version + 1;
  return { ...manifest, version, previousHash: manifestHash, actors, buckets: [...buckets] };
}

const nextDirectory = (data: string) => join(data, 'keys', 'next');

/**
 * Puts the keys in `keys/next/` in their places, if the manifest names them, or throws them away; and deletes those of
 * actors that it has no more. Hold the data lock meanwhile.
 */
export async function settleKeys(
  data: string,
  { actors }: Manifest,
  observe: ObserveChange = () => {},
): Promise<void> {
  const directory = nextDirectory(data);
  const names = await readdir(directory).catch(() => null);
  if (!names) return;
  const inUse = new Map(
    actors
      .filter(({ lastEpoch }) => lastEpoch === 0)
      .map(({ role, index, key }) => [keyNameOf(role, index), key]),
  );
  for (const name of names.filter((each) => each.endsWith('.key')).sort()) {
    const named = inUse.get(name);
    const key = importSecretKey(await readKeyFile(join(directory, name))).publicKey;
    if (!named || !equalBytes(named, key)) continue;
    observe(`put ${name} in its place`);
    await rename(join(directory, name), join(data, 'keys', name));
  }
  const over = actors.map(({ role, index }) => keyNameOf(role, index)).filter((name) => !inUse.has(name));
  for (const name of over) {
    observe(`delete ${name}`);
    await rm(join(data, 'keys', name), { force: true });
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
