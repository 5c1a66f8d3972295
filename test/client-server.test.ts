/** The client against a server, over real sockets. */

import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FileStore, MemoryStore } from '../src/client/index.js';
import { decodeClaim, verifyClaim } from '../src/protocol/index.js';
import { clientOf, directory, read, serverAt } from './client-helpers.js';
import { RUNS } from './worlds.js';

const test = suite('client and server');

test('a message arrives, and its receipt and the message prove the same place', async () => {
  const server = await serverAt(directory('one'));
  const [alice, bob] = await Promise.all([clientOf(server, 'alice'), clientOf(server, 'bob')]);
  const receipt = await alice.send({ to: bob.id, body: 'hello' });
  for await (const message of bob.mailbox()) {
    assert.is(Buffer.from(message.body).toString(), 'hello');
    assert.equal(message.place, receipt.place);
    assert.equal(message.messageHash, receipt.messageHash);
    const hash = server.identity.manifestHash;
    for (const claim of await Promise.all([message.claim(), receipt.claim()]))
      verifyClaim(decodeClaim(claim), bob.serverId, bob.manifest, hash);
    break;
  }
  const stand = await bob.still();
  assert.is(stand.total, 1);
  const claim = await stand.claim();
  if (claim) verifyClaim(decodeClaim(claim), bob.serverId, bob.manifest, bob.serverId);
  await Promise.all([alice.close(), bob.close()]);
  await server.stop();
});

test('thousands of messages come in order, each once', async () => {
  const server = await serverAt(directory('many'));
  const [alice, bob] = await Promise.all([clientOf(server, 'alice'), clientOf(server, 'bob')]);
  const count = 2500 * RUNS;
  const sending = Promise.all(
    Array.from({ length: count }, (_, i) => alice.send({ to: bob.id, body: `message ${i}` })),
  );
  const texts = await read(bob, count);
  assert.equal(
    texts,
    Array.from({ length: count }, (_, i) => `message ${i}`),
  );
  const receipts = await sending;
  assert.equal(
    receipts.map(({ counter }) => counter),
    Array.from({ length: count }, (_, i) => i + 1),
  );
  await Promise.all([alice.close(), bob.close()]);
  await server.stop();
});

test('a client that was away gets what came, once, and goes on after a restart of the server', async () => {
  const data = directory('away');
  const path = join(directory('store'), 'bob');
  let server = await serverAt(data);
  const port = new URL(server.url).port;
  const alice = await clientOf(server, 'alice');
  let bob = await clientOf(server, 'bob', { store: new FileStore(path) });
  assert.equal(bob.resumed, { complete: true, from: 0 });
  await alice.send({ to: bob.id, body: 'one' });
  assert.equal(await read(bob, 1), ['one']);
  await bob.close();
  await alice.send({ to: bob.id, body: 'two' });
  bob = await clientOf(server, 'bob', { store: new FileStore(path) });
  assert.ok(bob.resumed.complete && bob.resumed.from > 0);
  assert.equal(await read(bob, 1), ['two']);
  await server.stop();
  server = await serverAt(data, { port });
  await alice.send({ to: [bob.id, alice.id], body: 'three' });
  assert.equal(await read(bob, 1), ['three']);
  assert.equal(await read(alice, 1), ['three']);
  await Promise.all([alice.close(), bob.close()]);
  await server.stop();
});

test('a message to nobody is refused, and those behind it are numbered anew and arrive', async () => {
  const server = await serverAt(directory('refused'));
  const store = new MemoryStore();
  const [alice, bob] = await Promise.all([clientOf(server, 'alice', { store }), clientOf(server, 'bob')]);
  const nobody = new Uint8Array(32).fill(7);
  const sent = Array.from({ length: 40 }, (_, i) =>
    alice
      .send({ to: i % 7 === 3 ? nobody : bob.id, body: `${i}` })
      .then(({ counter }) => `${counter}`)
      .catch((error) => `${error.code} ${error.mailbox}`),
  );
  const expected = Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 7 !== 3);
  assert.equal(
    await read(bob, expected.length),
    expected.map((i) => `${i}`),
  );
  const results = await Promise.all(sent);
  const refusal = `no-such-mailbox ${'07'.repeat(32)}`;
  assert.is(results.filter((result) => result === refusal).length, 40 - expected.length);
  assert.equal(
    results.filter((result) => result !== refusal),
    expected.map((_, i) => `${i + 1}`),
  );
  await Promise.all([alice.close(), bob.close()]);
  await server.stop();
});

test('a newer session of a key displaces the older one, which stays away', async () => {
  const server = await serverAt(directory('displaced'));
  const older = await clientOf(server, 'alice');
  const displaced = new Promise<string>((resolve) =>
    older.on('state', ({ state, reason }) => state === 'displaced' && resolve(reason!.code)),
  );
  const newer = await clientOf(server, 'alice');
  assert.is(await displaced, 'displaced');
  assert.is(older.state, 'displaced');
  await older.send({ to: newer.id, body: 'x' }).then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, 'displaced'),
  );
  assert.is(newer.state, 'connected');
  await Promise.all([older.close(), newer.close()]);
  await server.stop();
});

test.run();
