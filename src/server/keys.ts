/**
 * The server's keys, one file each in `<data>/keys/`, made at the first start. `root.key` signs
 * manifests; every actor has its own (`inbox-0.key` …), because an actor IS its key.
 */
import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { randomBytes } from '#crypto';
import { ROLE, ROLE_NAMES, type Role } from '../protocol/index.js';
import { HAS_MODES, syncDirectory } from './durable-file.js';
import { readKeyFile, writeKeyFile } from './key-file.js';
import { OperatorError } from './operator-error.js';

export { readKeyFile, writeKeyFile } from './key-file.js';

/** Secret seeds of 32 bytes. Router i belongs to inbox i, receiver j to outbox j. */
export interface ServerKeys {
  readonly root: Uint8Array;
  readonly inboxes: readonly Uint8Array[];
  readonly routers: readonly Uint8Array[];
  readonly receivers: readonly Uint8Array[];
  readonly outboxes: readonly Uint8Array[];
  readonly sequencer: Uint8Array;
}

/** The name of an actor's key file. */
export const keyNameOf = (role: Role, index: number) => `${ROLE_NAMES[role]}-${index}.key`;

/** The secret seed of an actor. */
export function seedOf(keys: ServerKeys, { role, index }: { role: Role; index: number }): Uint8Array {
  if (role === ROLE.sequencer) return keys.sequencer;
  const of = {
    [ROLE.inbox]: keys.inboxes,
    [ROLE.router]: keys.routers,
    [ROLE.receiver]: keys.receivers,
    [ROLE.outbox]: keys.outboxes,
  }[role];
  return of[index]!;
}

export interface KeyCounts {
  readonly inboxes: number;
  readonly outboxes: number;
}

/**
 * Reads all keys below the data directory `directory` and makes those that are not there yet (a
 * first start, one that was cut short, or more actors than before). Hold the data lock meanwhile.
 * Throws `OperatorError` as `readKeyFile` does, and `root-key-missing` or `keys-not-private`.
 */
export async function loadOrCreateKeys(directory: string, counts: KeyCounts): Promise<ServerKeys> {
  const keys = join(directory, 'keys');
  const present = await openDirectory(keys);
  const key = (name: string) => loadOrCreate(join(keys, name), present.has(name));
  const actors = async (role: Role, count: number) => {
    const seeds: Uint8Array[] = [];
    for (let index = 0; index < count; index++) seeds.push(await key(keyNameOf(role, index)));
    return seeds;
  };
  // The root comes first, and is durable before the next: other keys without it mean it was lost.
  return {
    root: await key('root.key'),
    inboxes: await actors(ROLE.inbox, counts.inboxes),
    routers: await actors(ROLE.router, counts.inboxes),
    receivers: await actors(ROLE.receiver, counts.outboxes),
    outboxes: await actors(ROLE.outbox, counts.outboxes),
    sequencer: await key(keyNameOf(ROLE.sequencer, 0)),
  };
}

/** The names in the key directory, which is made when it is not there. */
async function openDirectory(keys: string): Promise<ReadonlySet<string>> {
  const made = await mkdir(keys, { recursive: true, mode: 0o700 });
  if (made !== undefined) for (const parent of [dirname(made), dirname(keys)]) await syncDirectory(parent);
  await checkDirectory(keys);
  const names = new Set((await readdir(keys)).filter((name) => name.endsWith('.key')));
  if (names.size === 0 || names.has('root.key')) return names;
  const next = `Restore it from your backup. Only to begin as a NEW server, move ${keys} and all data away.`;
  throw new OperatorError(
    'root-key-missing',
    `${join(keys, 'root.key')} is gone, other keys are there`,
    next,
  );
}

async function checkDirectory(keys: string): Promise<void> {
  const { mode } = await stat(keys);
  if (!HAS_MODES || (mode & 0o077) === 0) return;
  const message = `${keys} is open to others than its owner (mode ${(mode & 0o777).toString(8)})`;
  throw new OperatorError('keys-not-private', message, `Run: chmod 700 ${keys}`);
}

async function loadOrCreate(file: string, present: boolean): Promise<Uint8Array> {
  if (!present) await writeKeyFile(file, randomBytes(32));
  // Read back also what was just written: what the disk gives now is what it gives at the next start.
  return readKeyFile(file);
}
