/** examples/mls, with its server in a process of its own: races, kills, restarts, forks, and what its README says. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect } from '../../src/client/index.js';
import { comparePlaces } from '../../src/protocol/index.js';
import { rotateKeys } from '../../src/server/rotation.js';
import { directory } from '../client-helpers.js';
import { agree, type Device, until } from '../support/mls-group.js';
import {
  assertQuiet,
  come,
  cwd,
  devices,
  group,
  isSigned,
  server,
  servers,
  withServer,
} from '../support/mls-server.js';
import { ServerProcess } from '../support/server-process.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const test = suite('MLS group');

withServer(test);

test('two commits of one epoch: the first in the order wins for all, the other one is made anew', async () => {
  const all = await group('bob', 'carol');
  const [alice, bob, carol] = all as [Device, Device, Device];
  for (let round = 0; round < 4; round++) {
    const before = alice.member.epoch;
    const told = all.map((device) => device.told.length);
    const sent = [alice, bob].map((device) => device.sent.length);
    await Promise.all([alice.member.rotate(), bob.member.rotate()]);
    await agree(before + 2, ...all);
    const places = await Promise.all(
      [alice, bob].map(async (device, i) => (await device.sent[sent[i]!]!.receipt).place),
    );
    const [first, second] = comparePlaces(places[0]!, places[1]!) < 0 ? [alice, bob] : [bob, alice];
    for (const [i, device] of all.entries()) {
      const epochs = device.told.slice(told[i]).filter(({ type }) => type === 'epoch');
      assert.equal(
        epochs.map(({ epoch, by }) => [epoch, by]),
        [
          [before + 1, first.member.id],
          [before + 2, second.member.id],
        ],
      );
      const lost = device.told.slice(told[i]).filter(({ type }) => type === 'lost');
      assert.is(lost.length, device === second ? 1 : 0);
    }
  }
  await carol.member.say('still together');
  await until(() => all.every(({ texts }) => texts.includes('still together')), 'all have the text');
  await assertQuiet(...all);
});

test('who has made a commit first and sent it last, loses; the change is made once', async () => {
  const all = await group('bob', 'carol');
  const [alice, bob] = all as [Device, Device, Device];
  const dora = await come('dora', directory('mls-dora'));
  await dora.member.ask(alice.member.id);
  await until(() => alice.of('asks').length === 3, 'dora asks');
  const release = alice.hold();
  const invited = alice.invite(dora);
  await bob.member.rotate();
  await until(() => alice.of('lost').length === 1, 'alice has lost before her commit was sent');
  assert.equal(dora.member.members, []);
  release();
  await invited;
  await agree(4, ...all, dora);
  assert.equal([...dora.member.members].sort(), [...all, dora].map(({ member }) => member.id).sort());
  // Two invite the same at once: the second finds it done.
  const emil = await come('emil', directory('mls-emil'));
  await Promise.all([emil.member.ask(alice.member.id), emil.member.ask(bob.member.id)]);
  await Promise.all([alice.invite(emil), bob.invite(emil)]);
  await agree(5, ...all, dora, emil);
  await alice.member.remove(dora.member.id);
  await agree(6, ...all, emil);
  await until(() => dora.of('removed').length === 1, 'dora knows');
  await alice.member.say('among us');
  await until(() => emil.texts.includes('among us'), 'emil has it');
  assert.equal(dora.texts, []);
  await assertQuiet(...all, dora, emil);
});

test('the welcome comes after its commit, over a server that is killed in between', async () => {
  const all = await group('bob');
  const [alice, bob] = all as [Device, Device];
  const carol = await come('carol', directory('mls-carol'));
  await carol.member.ask(alice.member.id);
  await until(() => alice.of('asks').length === 2, 'carol asks');
  const commits = alice.sent.length;
  let release = () => {};
  const invited = alice.invite(carol);
  await until(() => alice.sent.length > commits, 'the commit is sent');
  release = alice.hold();
  await Promise.all([invited, agree(2, alice, bob)]);
  await server.kill();
  assert.is(alice.sent.length, commits + 1);
  assert.is(carol.member.epoch, null);
  assert.is(await server.start(), null);
  // A member writes to the newcomer before its welcome is sent, and ends the epoch of the welcome.
  await bob.member.say('welcome, Carol');
  await bob.member.rotate();
  await until(() => carol.member.state.early.length === 2, 'carol keeps both');
  assert.is(carol.member.epoch, null);
  release();
  await agree(3, alice, bob, carol);
  assert.equal(carol.texts, ['welcome, Carol']);
  const [commit, welcome] = alice.sent.slice(commits);
  const places = await Promise.all([commit, welcome].map(async (sent) => (await sent!.receipt).place));
  assert.ok(comparePlaces(places[0]!, places[1]!) < 0);
  await until(() => alice.member.state.welcomes.length === 0, 'the welcome is off her list');
  await assertQuiet(alice, bob, carol);
});

test('a member that is away while two commits race catches up from its files, and goes on', async () => {
  const all = await group('bob', 'carol');
  const [alice, bob, carol] = all as [Device, Device, Device];
  await carol.member.close();
  await Promise.all([alice.member.rotate(), bob.member.rotate()]);
  await bob.member.say('where are you?');
  await agree(4, alice, bob);
  await carol.come(server.url);
  await agree(4, ...all);
  await until(() => carol.texts.length === 1, 'carol has read it');
  assert.equal(
    carol.of('epoch').slice(-2),
    bob.of('epoch').slice(-2),
    'the same two commits in the same order',
  );
  await carol.member.rotate();
  await agree(5, ...all);
  await carol.member.say('here');
  await until(() => all.every(({ texts }) => texts.length === 2), 'all have her answer');
  for (const { texts } of all) assert.equal(texts, ['where are you?', 'here']);
  await assertQuiet(...all);
});

test('a commit that was made and not sent, and a welcome that was not, go out in the next life', async () => {
  const all = await group('bob');
  const [alice, bob] = all as [Device, Device];
  const carol = await come('carol', directory('mls-carol'));
  await carol.member.ask(alice.member.id);
  await until(() => alice.of('asks').length === 2, 'carol asks');
  alice.hold();
  alice.invite(carol).catch(() => {});
  await until(() => alice.member.state.pending !== null, 'the commit is made');
  await alice.crash();
  await alice.come(server.url);
  const sent = alice.sent.length;
  await until(() => alice.sent.length > sent, 'the commit is sent');
  alice.hold();
  await agree(2, alice, bob);
  assert.is(carol.member.epoch, null);
  await alice.crash();
  await alice.come(server.url);
  await agree(2, alice, bob, carol);
  await alice.member.say('twice as good');
  await until(() => carol.texts.length === 1, 'carol has it');
  await assertQuiet(alice, bob, carol);
});

/** Everybody has gone, and there is a second server that goes on from the same data. */
async function forked(): Promise<ServerProcess> {
  await Promise.all(devices.map(({ member }) => member.close()));
  await server.kill('SIGTERM');
  const data = directory('mls-fork');
  const filter = (path: string) => !path.endsWith('lock');
  cpSync(join(cwd, 'data'), data, { recursive: true, filter });
  const other = await ServerProcess.at(data, { inboxes: '2', outboxes: '2' });
  servers.push(other);
  assert.equal([await server.start(), await other.start()], [null, null]);
  return other;
}

/** What alice has written in her world gets into the other, in her name. */
async function pass({ url }: ServerProcess, alice: Device, from: number, to: readonly Device[]) {
  const alias = await connect({ url, key: alice.key });
  for (const { body } of alice.sent.slice(from))
    await alias.send({ to: to.map(({ member }) => member.id), body });
  await alias.close();
}

type Head = Parameters<typeof isSigned>[0];

test('two worlds of one server show as a fork, once a message gets from one into the other', async () => {
  const all = await group('bob', 'carol');
  const [alice, bob, carol] = all as [Device, Device, Device];
  const other = await forked();
  await alice.come(server.url);
  await bob.come(other.url);
  await carol.come(other.url);
  const from = alice.sent.length;
  for (const text of ['one', 'two', 'three']) await alice.member.say(text);
  for (const text of ['eins', 'zwei', 'drei', 'vier', 'fünf']) await bob.member.say(text);
  await until(() => carol.texts.length === 5, 'carol has all of her world');
  await assertQuiet(bob, carol);
  await pass(other, alice, from, [bob, carol]);
  for (const device of [bob, carol]) {
    await until(() => device.texts.length === 8, `${device.name} reads what alice wrote`);
    assert.ok(device.forks.length > 0, `${device.name} sees the fork`);
    for (const [ours, theirs] of device.forks as Head[][]) {
      assert.is(ours!.size, theirs!.size);
      assert.not.equal(ours!.root, theirs!.root);
      assert.ok(isSigned(ours!) && isSigned(theirs!));
    }
  }
  assert.equal(alice.forks, []);
});

test('two worlds whose sizes never meet show, too: the server cannot prove that they are one', async () => {
  const all = await group('bob', 'carol');
  const [alice, bob, carol] = all as [Device, Device, Device];
  const other = await forked();
  // The other world is far ahead of alice's before bob and carol see any of it.
  const stranger = await connect({ url: other.url, key: randomBytes(32) });
  for (let i = 0; i < 40; i++) await stranger.send({ to: stranger.id, body: 'on' });
  await stranger.close();
  await alice.come(server.url);
  await bob.come(other.url);
  await carol.come(other.url);
  const from = alice.sent.length;
  for (const text of ['one', 'two', 'three']) await alice.member.say(text);
  for (const text of ['eins', 'zwei']) await bob.member.say(text);
  await until(() => carol.texts.length === 2, 'carol has all of her world');
  await assertQuiet(bob, carol);
  await pass(other, alice, from, [bob, carol]);
  for (const device of [bob, carol]) {
    await until(() => device.texts.length === 5, `${device.name} reads what alice wrote`);
    await device.log.asked();
    assert.equal(device.forks, [], 'no two sizes are the same');
    assert.ok(device.suspicions.length > 0, `${device.name} suspects the server`);
    for (const [ours, theirs] of device.suspicions as (Head & { from?: string })[][]) {
      assert.is(theirs!.from, alice.member.id);
      assert.ok(ours!.size > theirs!.size + 30);
      assert.ok(isSigned(ours!) && isSigned(theirs!));
    }
  }
  assert.equal([alice.forks, alice.suspicions], [[], []]);
});

test('checkpoints of the key before are compared by who knows that there is a new one', async () => {
  const all = await group('bob');
  const [alice, bob] = all as [Device, Device];
  await bob.member.close();
  await alice.member.say('by the first key');
  const before = alice.log.anchor();
  await alice.member.close();
  for (const version of [2, 3]) {
    await server.kill('SIGTERM');
    await rotateKeys(join(cwd, 'data'), null);
    assert.is(await server.start(), null);
    await alice.come(server.url);
    assert.is(alice.client.manifest.version, version);
    await alice.member.say(`by key ${version}`);
    await alice.member.close();
  }
  await bob.come(server.url);
  const carol = await come('carol', directory('mls-carol'));
  await alice.come(server.url);
  await until(() => bob.texts.length === 3, 'bob has read all');
  await assertQuiet(alice, bob);
  for (const { log, client } of [alice, bob, carol])
    assert.ok(['same', 'noted'].includes(await log.check(before, 'alice', client)));
  await assertQuiet(carol);
});

const run = promisify(execFile);
const readme = readFileSync(join(ROOT, 'examples/mls/README.md'), 'utf8');

test('what its README says is done: the demo and what is measured', async () => {
  const commands = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, body]) =>
    body!.trim().split('\n'),
  );
  assert.equal(commands, ['npm ci && npm start', 'node examples/mls/demo.mjs', 'node examples/mls/cost.mjs']);
  const node = (...args: string[]) => run(process.execPath, args, { cwd: ROOT });
  const demo = await node('examples/mls/demo.mjs', server.url);
  assert.is(demo.stderr, '');
  assert.match(demo.stdout, /my commit of epoch 2 was second, once more\n/);
  assert.match(
    demo.stdout,
    /^--- all of alice, bob, carol agree on epoch 6\n(.*\n)*alice: carol says I am back\n/m,
  );
  assert.not.match(demo.stdout, /FORK|refused/);
  const cost = await node('examples/mls/cost.mjs', server.url, '5');
  assert.match(cost.stdout, /^bytes of a message .*\n(.*\n)+CPU /m);
});

test.run();
