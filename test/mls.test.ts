/** examples/mls: a group whose delivery service is a server in a process of its own, over real sockets. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from './client-helpers.js';
import { agree, type Device, KnownLog, mls, until } from './support/mls-group.js';
import { assertQuiet, come, devices, group, isSigned, withServer } from './support/mls-server.js';

const test = suite('MLS group');

withServer(test);

test('texts of an epoch are read after it has ended, also by who has ended it, whatever it had read before', async () => {
  const all = await group('bob', 'carol');
  const [alice, bob] = all as [Device, Device, Device];
  const commit = alice.hold();
  const rotated = alice.member.rotate();
  await until(() => alice.member.state.pending !== null, "alice's commit is made");
  await bob.member.say('before');
  await until(() => alice.texts.includes('before'), 'alice reads beside her commit');
  const late = bob.hold();
  const said = bob.member.say('late');
  await until(() => bob.member.state.said.length === 1, 'it is encrypted');
  commit();
  await rotated;
  await agree(3, ...all);
  late();
  await said;
  await until(() => all.every(({ texts }) => texts.length === 2), 'all have both');
  for (const { texts } of all) assert.equal(texts, ['before', 'late']);
  await assertQuiet(...all);
});

test('what is no message of the group, or of another than it says, is refused and changes nothing', async () => {
  const all = await group('bob', 'carol');
  const [alice, bob, carol] = all as [Device, Device, Device];
  const mallory = await come('mallory', directory('mls-mallory'));
  const to = [alice.member.id, bob.member.id];
  await mallory.client.send({ to, body: 'no MLS' });
  // Somebody else's key package, and somebody else's text and commit, as the server might pass them off.
  const { publicPackage } = await mls.makeKeyPackage(carol.client.id, carol.key);
  await mallory.client.send({ to, body: mls.encode('mls_key_package', publicPackage) });
  carol.hold();
  carol.member.say('mine').catch(() => {});
  carol.member.rotate().catch(() => {});
  await until(() => carol.member.state.pending !== null, 'both are encrypted');
  const { said, pending } = carol.member.state;
  await mallory.client.send({ to, body: said[0].body });
  await mallory.client.send({ to, body: pending.body });
  const broken = Uint8Array.from(said[0].body);
  broken[broken.length - 1]! ^= 1;
  await carol.client.send({ to, body: broken });
  for (const device of [alice, bob]) {
    await until(() => device.of('refused').length === 5, `${device.name} refuses all`);
    assert.equal(
      [device.member.epoch, device.texts, device.of('asks').length],
      [2, [], device === alice ? 2 : 0],
    );
  }
  // The genuine ones are still good.
  await carol.client.send({ to, body: said[0].body });
  await carol.client.send({ to: [...to, carol.member.id], body: pending.body });
  await agree(3, ...all);
  for (const device of [alice, bob]) assert.equal([device.texts, device.of('refused').length], [['mine'], 5]);
});

test('an anchor that the server has not signed raises no alarm; anchors of others are compared, too', async () => {
  const { client } = devices[0]!;
  const { size, root, signature } = client.checkpoint;
  assert.ok(isSigned(client.checkpoint));
  const forks: unknown[] = [];
  const tell = () => forks.push(1);
  const know = () => new KnownLog({ verify: mls.suite.signature.verify, onFork: tell, onSuspicion: tell });
  const mine = know();
  mine
    .watch({ load: () => {}, save: () => {}, close: () => {} })
    .save([
      { type: 'log', outbox: 0, log: { checkpoint: { size, root, signature }, frontier: new Uint8Array(0) } },
    ]);
  const anchor: Uint8Array = mine.anchor();
  assert.is(anchor.length, 104);
  assert.is(await mine.check(anchor, 'bob', client), 'same');
  const stranger = know();
  assert.is(await stranger.check(new Uint8Array(0), 'bob', client), 'none');
  assert.is(await stranger.check(anchor.slice(1), 'bob', client), 'unsigned');
  for (const at of [7, 8, 40]) {
    const bad = Uint8Array.from(anchor);
    bad[at]! ^= 1;
    assert.is(await stranger.check(bad, 'bob', client), 'unsigned', `byte ${at}`);
    if (at > 7) assert.is(await mine.check(bad, 'bob', client), at === 8 ? 'unsigned' : 'same', `byte ${at}`);
  }
  assert.is(await stranger.check(anchor, 'bob', client), 'noted');
  assert.is(await stranger.check(anchor, 'carol', client), 'same');
  assert.equal(forks, []);
});

test.run();
