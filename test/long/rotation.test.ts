/** New keys for the actors of a server: the program, what it leaves on disk, what the server then says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { signCheckpoint } from '../../src/actors/sequencer.js';
import { readCheckpointNote } from '../../src/protocol/audit/note.js';
import {
  actorKey,
  countActors,
  equalBytes,
  openManifests,
  ROLE,
  type SignedManifest,
  toHex,
} from '../../src/protocol/index.js';
import { checkpointNote } from '../../src/protocol/notes/index.js';
import { Anchors } from '../../src/server/anchors.js';
import { readIdentity } from '../../src/server/founding.js';
import type { Server } from '../../src/server/index.js';
import { loadOrCreateKeys } from '../../src/server/keys.js';
import type { ManifestChange } from '../../src/server/manifest-change.js';
import { recoverLog } from '../../src/server/recovery.js';
import { rotateKeys } from '../../src/server/rotation.js';
import { signedLog } from '../../src/server/signed-log.js';
import { Store } from '../../src/server/store.js';
import { directory, serverAt } from '../client-helpers.js';
import { countersign } from '../support/program.js';
import { refused } from '../support/rotation-client.js';
import { FIRST, STRIDE } from '../worlds.js';

const test = suite('rotation of keys');
const ROTATING = fileURLToPath(new URL('../support/rotating.js', import.meta.url));

/** A server that ran once, and is stopped. */
async function stopped(flags: Record<string, string> = {}): Promise<string> {
  const data = directory('rotation');
  await (await serverAt(data, flags)).stop();
  return data;
}

const template = await stopped();
function copy(): string {
  const data = directory('rotation');
  cpSync(template, data, { recursive: true, filter: (source) => !source.endsWith('lock') });
  return data;
}

const secretsIn = (data: string) =>
  (readdirSync(join(data, 'keys'), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.key'))
    .map((name) => [name, readFileSync(join(data, 'keys', name), 'latin1')] as const);

async function manifestsOf(server: Server, from = 1): Promise<SignedManifest[]> {
  const response = await fetch(`${server.url}/v1/manifests/${from}`);
  const { manifests } = (await response.json()) as { manifests: { manifest: string; signature: string }[] };
  return manifests.map(({ manifest, signature }) => ({
    bytes: Uint8Array.from(Buffer.from(manifest, 'base64')),
    signature: Uint8Array.from(Buffer.from(signature, 'base64')),
  }));
}

test('the program gives every actor a new key, and the server starts with it and tells all versions', async () => {
  const data = await stopped({ inboxes: '2', outboxes: '2' });
  const before = new Map(secretsIn(data));
  const { status, stdout } = await countersign(['keys', 'rotate', '--data', data, '--json']);
  assert.is(status, 0);
  const rotated = JSON.parse(stdout) as ManifestChange;
  assert.is(rotated.version, 2);
  assert.is(rotated.actors.length, 9);
  const after = new Map(secretsIn(data));
  assert.equal([...after.keys()].sort(), [...before.keys()].sort());
  for (const [name, secret] of after) assert.is(secret === before.get(name), name === 'root.key', name);

  const server = await serverAt(data);
  const [first, second] = openManifests(await manifestsOf(server));
  assert.is(toHex(first!.hash), server.serverId);
  assert.is(toHex(second!.hash), rotated.manifestHash);
  assert.is(second!.from, rotated.firstEpoch);
  for (const { role, index, key } of first!.manifest.actors) {
    const [ended, begun] = second!.manifest.actors.filter(
      (each) => each.role === role && each.index === index,
    );
    assert.ok(equalBytes(ended!.key, key));
    assert.is(ended!.lastEpoch, second!.from - 1);
    assert.is(begun!.firstEpoch, second!.from);
  }
  const answer = (await (await fetch(`${server.url}/v1/manifest`)).json()) as { version: number };
  assert.is(answer.version, 2);
  const note = await (await fetch(`${server.url}/v1/checkpoint`)).text();
  readCheckpointNote(note, first!.hash, [actorKey(second!.manifest, ROLE.sequencer, 0)]);
  assert.throws(() => readCheckpointNote(note, first!.hash, [actorKey(first!.manifest, ROLE.sequencer, 0)]));
  assert.is((await manifestsOf(server, 2)).length, 1);
  assert.is((await manifestsOf(server, 3)).length, 0);
  assert.is((await fetch(`${server.url}/v1/manifests/0`)).status, 400);
  await server.stop();
});

test('one actor again and again: only its key changes, and no version has keys that ended before', async () => {
  const data = copy();
  const froms: number[] = [];
  for (let version = 2; version <= 5; version++) {
    const rotated = await rotateKeys(data, ['outbox-0']);
    assert.is(rotated.version, version);
    assert.equal(
      rotated.actors.map(({ actor }) => actor),
      ['outbox-0'],
    );
    froms.push(rotated.firstEpoch);
  }
  assert.equal(
    [...froms].sort((a, b) => a - b),
    froms,
  );
  assert.is(new Set(froms).size, froms.length);
  const server = await serverAt(data, { 'epoch-heartbeat-ms': '50' });
  const all = openManifests(await manifestsOf(server));
  assert.equal(
    all.map(({ manifest }) => manifest.actors.length),
    [5, 6, 6, 6, 6],
  );
  assert.is(countActors(server.identity.manifest, ROLE.outbox), 1);
  // What follows is numbered from there.
  const { size } = server.checkpoint();
  while (server.checkpoint().size <= size) await new Promise((later) => setTimeout(later, 20));
  await server.stop();
  const store = Store.open(data, () => {});
  assert.ok(recoverLog(store).lastEpoch >= froms.at(-1)!);
  await store.close();
});

test('an earlier key of the sequencer is known for the log that it signed, and anchors are signed anew', async () => {
  const data = await stopped({ 'epoch-heartbeat-ms': '50' });
  const server = await serverAt(data, { 'epoch-heartbeat-ms': '50' });
  while (server.checkpoint().size < 3) await new Promise((later) => setTimeout(later, 20));
  await server.stop();
  const seed = (await loadOrCreateKeys(data, { inboxes: 1, outboxes: 1 })).sequencer;
  await rotateKeys(data, ['sequencer-0']);
  const store = Store.open(data, () => {});
  const identity = readIdentity(store)!;
  const { size } = recoverLog(store);
  const { sequencer } = await loadOrCreateKeys(data, { inboxes: 1, outboxes: 1 });
  const log = { ...signedLog(store, identity, sequencer), size };
  const signer = (secret: Uint8Array) => ({
    serverId: identity.serverId,
    sign: importSecretKey(secret).sign,
  });
  const root = log.rootAt(size);
  for (const [secret, of, known] of [
    [seed, size, true],
    [seed, size + 1, false],
    [sequencer, size + 1, true],
    [new Uint8Array(32), size, false],
  ] as const)
    assert.is(log.hasSigned(signCheckpoint(signer(secret), { size: of, root })), known);

  const old = checkpointNote(
    identity.serverId,
    signCheckpoint(signer(seed), { size, root }),
    importSecretKey(seed).publicKey,
  );
  writeFileSync(join(data, 'anchors', `${size}`), old);
  const { all } = await Anchors.open(data, log);
  assert.is(all.length, 1);
  const { signature } = readCheckpointNote(all[0]!.note, identity.serverId, [log.sequencerKey]);
  assert.is(toHex(signature), toHex(log.checkpointAt(size).signature));
  await store.close();
});

test('while a server runs, of a directory that is none, and of unknown actors nothing is changed', async () => {
  const data = copy();
  const before = secretsIn(data);
  const server = await serverAt(data);
  await refused('data-locked', () => rotateKeys(data, null));
  const { status, stderr } = await countersign(['keys', 'rotate', '--data', data]);
  assert.is(status, 1);
  assert.match(stderr, /data-locked/);
  await server.stop();
  await refused('actor-unknown', () => rotateKeys(data, ['outbox-0', 'outbox-1']));
  const empty = directory('rotation');
  await refused('data-not-found', () => rotateKeys(empty, null));
  assert.equal(readdirSync(empty), []);
  assert.equal(secretsIn(data), before);
  assert.is((await countersign(['keys', 'rotate'])).status, 2);
  assert.is((await countersign(['keys', 'change', '--data', data])).status, 2);
});

// A directory, 5 keys, the manifest, 5 keys in their places, no directory: before step 13 all is done.
const STEPS = 13;

// Eight seeds that follow on each other have all of them; continuous integration does.
test('killed before any step, the old state is left or the new one, and the server starts', async () => {
  for (const at of Array(STEPS + 1).keys()) {
    if (at !== STEPS && at % STRIDE !== FIRST) continue;
    const data = copy();
    const child = spawn(process.execPath, [ROTATING, data, `${at}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [, signal] = await once(child, 'close');
    assert.is(signal, at === STEPS ? null : 'SIGKILL', `step ${at}`);
    const old = new Set(secretsIn(template).map(([, secret]) => secret));
    const server = await serverAt(data);
    const { version } = server.identity.manifest;
    await server.stop();
    assert.not.ok(existsSync(join(data, 'keys', 'next')), `step ${at}`);
    const kept = secretsIn(data).filter(([, secret]) => old.has(secret));
    assert.is(kept.length, version === 1 ? 6 : 1, `step ${at}`);
    assert.is(version, at <= 6 ? 1 : 2, `step ${at}`);
    // And it can be done again.
    assert.is((await rotateKeys(data, null)).version, version + 1);
  }
});

test('what is left of a rotation that another one was to follow is not taken for keys', async () => {
  const data = copy();
  mkdirSync(join(data, 'keys', 'next'), { mode: 0o700 });
  cpSync(join(await stopped(), 'keys', 'inbox-0.key'), join(data, 'keys', 'next', 'inbox-0.key'));
  await (await serverAt(data)).stop();
  assert.equal(secretsIn(data), secretsIn(template));
});

test.run();
