/** `countersign audit` as a program: on data directories of real servers, and on servers that run. */
import { cpSync, mkdtempSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { epochKey, metaKey, numberKey, numberValue, TABLE } from '../src/actors/store-keys.js';
import { type Kind, audit as recompute } from '../src/protocol/audit/index.js';
import { actorKey, ROLE } from '../src/protocol/index.js';
import { checkpointNote } from '../src/protocol/notes/index.js';
import { FORMAT } from '../src/server/founding.js';
import type { Server } from '../src/server/index.js';
import { openKeptDirectory } from '../src/server/kept-directory.js';
import { Store } from '../src/server/store.js';
import { CHEATS } from './byzantine/cheats.js';
import { play } from './byzantine/play.js';
import type { Theatre } from './byzantine/theatre.js';
import { clientOf, directory, read, serverAt } from './client-helpers.js';
import { countersign, type Ended } from './support/program.js';

const test = suite('audit of a server');
const token = join(mkdtempSync(join(tmpdir(), 'countersign-token-')), 'token');
writeFileSync(token, `${'5a'.repeat(32)}\n`, { mode: 0o600 });
// Without epochs that nothing is in, each has one message.
const FLAGS = { outboxes: '2', 'operator-token': token, 'epoch-heartbeat-ms': '600000' };

/** So many epochs of a message to two; one of them acknowledges. */
async function talk(server: Server, epochs: number): Promise<void> {
  const [ann, ben, cleo] = await Promise.all(['ann', 'ben', 'cleo'].map((name) => clientOf(server, name)));
  for (let i = 0; i < epochs; i++) await ann!.send({ to: [ben!.id, cleo!.id], body: `message ${i}` });
  await read(ben!, 1);
  for (const client of [ann!, ben!, cleo!]) await client.close();
}

const original = directory('audit');
const first = await serverAt(original, FLAGS);
await talk(first, 4);
await first.stop();
const newest = first.checkpoint();

/** A copy, with what a test changes in its store. */
async function changed(
  change: (store: Store, put: (key: Uint8Array, value: Uint8Array | null) => Promise<void>) => Promise<void>,
) {
  const data = directory('audit');
  for (const part of ['store', 'keys']) cpSync(join(original, part), join(data, part), { recursive: true });
  const store = Store.open(data, () => {});
  const put = (key: Uint8Array, value: Uint8Array | null) =>
    new Promise<void>((done) => store.write([{ key, value }], done));
  await change(store, put);
  await store.close();
  return data;
}

/** With one bit of a value flipped. */
const flipped = (key: Uint8Array, at: number) =>
  changed(async (store, put) => {
    const value = store.get(key)!;
    value[at]! ^= 1;
    await put(key, value);
  });

const audit = (...args: string[]) => countersign(['audit', ...args, '--json']);
const network = ({ url, internalUrl }: Server) => ['--token', token, '--url', url, '--internal', internalUrl];

function result({ status, stdout, stderr }: Ended, expected: number) {
  assert.is(status, expected, stderr);
  return JSON.parse(stdout);
}

/** The newest epoch of the original that has messages: its links are of a message to two. */
const TALKED = 4;

test('0: a directory in which nothing is wrong, and what was done is said', async () => {
  const found = result(await audit('--data', original, '--server', first.serverId), 0);
  assert.is(found.serverId, first.serverId);
  assert.equal([found.leaves, found.signedLeaves, found.messages], [newest.size, newest.size, 4]);
  assert.is(found.epochs, newest.size);
  assert.equal(found.deviations, []);
  assert.ok(found.messagesPerSecond > 0 && found.epochsPerSecond > 0);
  const { stdout, stderr, status } = await countersign([
    'audit',
    '--data',
    original,
    '--from',
    '2',
    '--to',
    '3',
  ]);
  assert.is(status, 0);
  assert.match(stdout, /recomputed 2 epochs \(2 to 3\) with 2 messages.*epochs and \d+ messages a second/);
  assert.is(stderr, '', 'no bar where there is no terminal');
});

test('1: what was changed after it was signed is found, object by object, and nobody is accused', async () => {
  const epoch = TALKED;
  const outbox = [0, 1].find((j) => keyIn(epochKey(TABLE.links, epoch, j)))!;
  const planted: [string, Uint8Array, number][] = [
    ['output', epochKey(TABLE.inboxRows, epoch, 0), 20],
    ['missing', epochKey(TABLE.senderRuns, epoch, 0), 43],
    ['output', epochKey(TABLE.links, epoch, outbox), 25],
    ['cache', numberKey(TABLE.log, 1), 170],
    ['attestation', numberKey(TABLE.attestations, epoch), 100],
    ['log', numberKey(TABLE.log, 1), 40],
    ['checkpoint', metaKey('checkpoint'), 20],
  ];
  for (const [kind, key, at] of planted) {
    const { source, close } = await openKeptDirectory(await flipped(key, at));
    const { findings } = await recompute(source);
    await close();
    const kinds = findings.map((each) => each.kind);
    assert.ok(kinds.includes(kind as Kind), `${kind} among ${kinds}`);
    for (const { verdict } of findings) assert.is(verdict, null);
  }
  const without = await changed((_, put) => put(numberKey(TABLE.attestations, epoch), null));
  const { deviations, error } = result(await audit('--data', without), 1);
  assert.is(error.code, 'deviations');
  assert.match(deviations[0].text, new RegExp(`epoch ${epoch} has to be kept`));
});

function keyIn(key: Uint8Array): boolean {
  const store = Store.open(original, () => {});
  const has = store.get(key) !== undefined;
  void store.close();
  return has;
}

test('1: a checkpoint that somebody holds and the log does not bear out', async () => {
  const { identity } = first;
  const key = actorKey(identity.manifest, ROLE.sequencer, 0);
  const file = `${token}.checkpoint`;
  writeFileSync(file, checkpointNote(identity.serverId, newest, key));
  result(await audit('--data', original, '--checkpoint', file), 0);
  const rolledBack = await changed(async (store, put) => {
    const last = store.last(numberKey(TABLE.log, 0), numberKey(TABLE.log, Number.MAX_SAFE_INTEGER))!;
    await put(Uint8Array.from(last.key), null);
  });
  const { deviations } = result(await audit('--data', rolledBack, '--checkpoint', file), 1);
  assert.match(deviations[0].text, /goes beyond the log/);
  writeFileSync(file, 'no checkpoint');
  assert.is((await audit('--data', original, '--checkpoint', file)).status, 2);
});

/** What a theatre's server has stored, as a data directory. */
async function directoryOf({ manifests, pipeline }: Theatre): Promise<string> {
  const data = directory('audit');
  const store = Store.open(data, () => {});
  const { bytes, signature } = manifests[0]!;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  const records = [
    ...[...pipeline.store.range(Uint8Array.of(0), Uint8Array.of(255))].map(({ key, value }) => ({
      key,
      value,
    })),
    { key: metaKey('manifest'), value: Buffer.concat([length, bytes, signature]) },
    { key: metaKey('format'), value: numberValue(FORMAT) },
  ];
  await new Promise<void>((done) => store.write(records, done));
  await store.close();
  return data;
}

test('1: an actor that cheated, with evidence that verify agrees with', async () => {
  const cheats = [
    ['router', 'drop for one recipient'],
    ['sequencer', 'log a wrong previous epoch'],
  ] as const;
  for (const [role, name] of cheats) {
    const { theatre } = play([CHEATS.find((each) => each.role === role && each.name === name)!], false);
    const data = await directoryOf(theatre);
    const evidence = join(data, 'evidence');
    const { deviations, error } = result(await audit('--data', data, '--evidence', evidence), 1);
    const proven = deviations.filter(({ file }: { file: string | null }) => file !== null);
    assert.equal([proven[0].verdict.role, proven[0].verdict.index], [role, 0]);
    assert.is(readdirSync(evidence).length, proven.length);
    // The command that it gives.
    const [, ...args] = /countersign (verify .*)$/.exec(error.next)![1]!.split(' ');
    const verified = await countersign(['verify', ...args, '--json']);
    assert.is(verified.status, 0);
    const { rule, text } = JSON.parse(verified.stdout);
    assert.equal({ rule, text }, { rule: proven[0].verdict.rule, text: proven[0].verdict.text });
  }
});

test('2: what is no data directory, cut, in use, or another server, and what to do', async () => {
  const foreign = directory('audit');
  const cut = await changed(async () => {});
  truncateSync(join(cut, 'store', 'data.mdb'), 9000);
  const garbage = await changed(async () => {});
  writeFileSync(join(garbage, 'store', 'data.mdb'), Buffer.alloc(100_000, 7));
  const empty = directory('audit');
  await Store.open(empty, () => {}).close();
  const inUse = await changed(async () => {});
  const server = await serverAt(inUse, FLAGS);
  const cases: [readonly string[], string][] = [
    [['--data', foreign], 'data-not-found'],
    [['--data', join(foreign, 'none')], 'data-not-found'],
    [['--data', cut], 'data-damaged'],
    [['--data', garbage], 'data-damaged'],
    [['--data', empty], 'data-not-found'],
    [['--data', inUse], 'data-locked'],
    [['--data', original, '--server', '00'.repeat(32)], 'wrong-server'],
    [[], 'usage'],
    [['--data', original, '--from', '9', '--to', '8'], 'usage'],
    [['--token', token, '--url', 'http://127.0.0.1:9'], 'connection-lost'],
  ];
  for (const [args, code] of cases) {
    const { error } = result(await audit(...args), 2);
    assert.is(error.code, code);
    assert.ok(error.next.length > 0, code);
  }
  assert.equal(readdirSync(foreign), [], 'nothing is made in a directory that is not ours');
  const other = `${token}.other`;
  writeFileSync(other, `${'00'.repeat(32)}\n`, { mode: 0o600 });
  const args = network(server).map((arg) => (arg === token ? other : arg));
  assert.is(result(await audit(...args), 2).error.code, 'not-a-party');
  await server.stop();
});

test('a server that runs tells the same as its directory, right or wrong', async () => {
  const epoch = TALKED;
  const damaged = await flipped(epochKey(TABLE.inboxRows, epoch, 0), 20);
  for (const data of [await changed(async () => {}), damaged]) {
    const server = await serverAt(data, FLAGS);
    await talk(server, 2);
    const status = data === damaged ? 1 : 0;
    const online = result(await audit(...network(server)), status);
    await server.stop();
    const offline = result(await audit('--data', data, '--to', `${online.last}`), status);
    const facts = ({
      seconds: _,
      epochsPerSecond: __,
      messagesPerSecond: ___,
      leaves,
      signedLeaves,
      ...rest
    }: typeof online) => rest;
    assert.equal(facts(offline), facts(online));
    assert.is(online.messages, data === damaged ? 5 : 6);
  }
});

test.run();
