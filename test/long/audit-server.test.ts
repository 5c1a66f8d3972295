/** `countersign audit` as a program: what it finds of what was changed or cheated, what it refuses, and a server that runs. */
import { readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { epochKey, metaKey, numberKey, numberValue, TABLE } from '../../src/actors/store-keys.js';
import { type Finding, type Kind, audit as recompute } from '../../src/protocol/audit/index.js';
import { placementOf, toHex } from '../../src/protocol/index.js';
import { FORMAT } from '../../src/server/founding.js';
import type { Server } from '../../src/server/index.js';
import { openKeptDirectory } from '../../src/server/kept-directory.js';
import { changeActors } from '../../src/server/resizing.js';
import { Store } from '../../src/server/store.js';
import { CHEATS } from '../byzantine/cheats.js';
import { play } from '../byzantine/play.js';
import type { Theatre } from '../byzantine/theatre.js';
import { clientOf, directory, keyOf, serverAt } from '../client-helpers.js';
import { audit, changed, FLAGS, original, result, talk, token } from '../support/audit-server.js';
import { end, started, three } from '../support/comparing.js';
import { countersign } from '../support/program.js';

const test = suite('audit of a server');

/** With one bit of a value flipped. */
const flipped = (key: Uint8Array, at: number) =>
  changed(async (store, put) => {
    const value = store.get(key)!;
    value[at]! ^= 1;
    await put(key, value);
  });
const network = ({ url, internalUrl }: Server) => ['--token', token, '--url', url, '--internal', internalUrl];

/** The newest epoch of the original that has messages: its links are of a message to two. */
const TALKED = 4;

test('1: what was changed after it was signed is found, object by object, and nobody is accused', async () => {
  const epoch = TALKED;
  const outbox = [0, 1].find((j) => keyIn(epochKey(TABLE.links, epoch, j)))!;
  const planted: [string, Uint8Array, number][] = [
    ['output', epochKey(TABLE.inboxRows, epoch, 0), 20],
    ['missing', epochKey(TABLE.senderRuns, epoch, 0), 43],
    ['submission', epochKey(TABLE.submissions, epoch, 0), 20],
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

/** A router or receiver that loses a message to Bob and, it may be, Cora, whose mailbox another outbox keeps. Nobody acknowledges it. */
async function lose(way: 'skip' | 'stray', isForTwo: boolean) {
  const { server, cheat } = await started({ inboxes: '2', outboxes: '2' });
  const { manifest, serverId } = server.identity;
  const names = [...Array(40).keys()].map((i) => `client ${i}`);
  const at = (outbox: number) => (name: string) =>
    placementOf(manifest, serverId, importSecretKey(keyOf(name)).publicKey).outbox === outbox;
  const [alice, bob, dave] = await three(server, names.filter(at(0)).slice(0, 3));
  const cora = await clientOf(server, names.find(at(1))!);
  for (const client of [bob, dave, cora]) await client.close();
  const [from, to, stray] = [alice, bob, dave].map(({ id }) => toHex(id)) as [string, string, string];
  cheat({ way, from, to, ...(way === 'stray' && { instead: stray }) });
  await alice.send({ to: isForTwo ? [bob.id, cora.id] : bob.id, body: 'the one that is lost' });
  await end(server, alice);
  return server.config;
}

test('1: an actor that cheated before a move is named after it, too', async () => {
  const { data, inboxes, outboxes } = await lose('stray', true);
  const proven = async () => {
    const { deviations } = result(await audit('--data', data), 1);
    return deviations.flatMap(({ verdict }: { verdict: { text: string } | null }) => verdict?.text ?? []);
  };
  const before = await proven();
  assert.match(before[0], /^Proven against receiver 0, /);
  await changeActors(data, { inboxes: inboxes + 1, outboxes: outboxes - 1 });
  const moved = await serverAt(data);
  await talk(moved, 2);
  await moved.stop();
  assert.equal(await proven(), before);
});

for (const policy of ['required', 'accepted'])
  test(`1: an inbox that takes in what its sender has not signed, where submissions are ${policy}, over the network too`, async () => {
    const { server, cheat } = await started({ ...FLAGS, submissions: policy });
    const [ann, ben] = await Promise.all(['ann', 'ben'].map((name) => clientOf(server, name)));
    await ann!.send({ to: ben!.id, body: 'as it was sent' });
    cheat({ way: 'forge', from: toHex(ann!.id), to: toHex(ben!.id) });
    await ann!.send({ to: ben!.id, body: 'what becomes another' }).catch(() => {});
    const online = result(await audit(...network(server)), 1);
    await Promise.all([ann!, ben!].map((client) => client.close()));
    await server.stop();
    const offline = result(await audit('--data', server.config.data), 1);
    for (const { deviations } of [online, offline])
      assert.equal(
        deviations.map(({ kind, verdict }: Finding) => [
          kind,
          verdict?.outcome === 'actor' ? verdict.rule : null,
        ]),
        // Who lets unsigned messages in cannot be shown to have made one up.
        [['submission', policy === 'required' ? 'inboxRow' : null]],
      );
  });

test('0: what a router has lost, and nobody else was to get, shows nowhere: that is said', async () => {
  const { data } = await lose('skip', false);
  const found = result(await audit('--data', data), 0);
  assert.equal([found.messages, found.recipientsUnknown], [1, 1]);
  const { stdout } = await countersign(['audit', '--data', data]);
  assert.match(
    stdout,
    /Nothing found\. 1 message whose recipients are no longer known was not held against routers\.\n$/,
  );
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
  for (const [data, messages, kinds] of [
    [await changed(async () => {}), 6, []],
    [await flipped(epochKey(TABLE.inboxRows, epoch, 0), 20), 5, ['output']],
    [await flipped(epochKey(TABLE.submissions, epoch, 0), 20), 6, ['submission']],
  ] as const) {
    const server = await serverAt(data, FLAGS);
    await talk(server, 2);
    const status = kinds.length > 0 ? 1 : 0;
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
    assert.is(online.messages, messages);
    assert.equal(
      online.deviations.map(({ kind }: { kind: Kind }) => kind),
      [...kinds],
    );
  }
});

test.run();
