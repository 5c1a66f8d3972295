/** Clients whose sockets are cut, whose server restarts, whose frames are changed on the way. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client } from '../src/client/client.js';
import { FileStore, VerificationError } from '../src/client/index.js';
import type { Dial } from '../src/client/socket.js';
import { dial } from '../src/client/websocket.js';
import { FRAME } from '../src/protocol/index.js';
import { clientOf, directory, keyOf, read, serverAt } from './client-helpers.js';

const test = suite('client in trouble');

test('a changed byte ends the client for good, with an event, and the loop throws', async () => {
  const server = await serverAt(directory('liar'));
  const alice = await clientOf(server, 'alice');
  let deliveries = 0;
  const liar: Dial = (url, events) =>
    dial(url, {
      ...events,
      opened: () => events.opened(),
      closed: (code, reason) => events.closed(code, reason),
      frame: (frame) => {
        const copy = Uint8Array.from(frame);
        if (frame[0] === FRAME.deliver && ++deliveries === 3) copy[copy.length >> 1]! ^= 4;
        events.frame(copy);
      },
    });
  const bob = await Client.connect({ url: server.url, key: keyOf('bob') }, liar);
  const failed = new Promise<VerificationError>((resolve) =>
    bob.on('state', ({ state, reason }) => state === 'failed' && resolve(reason as VerificationError)),
  );
  const got: string[] = [];
  const reading = (async () => {
    for await (const message of bob.mailbox()) got.push(Buffer.from(message.body).toString());
  })().catch((error) => error);
  for (let i = 0; i < 5; i++) await alice.send({ to: bob.id, body: `${i}` });
  const error = await failed;
  assert.instance(error, VerificationError);
  assert.ok(error.frame.length > 100);
  assert.is(await reading, error);
  assert.equal(got, ['0', '1']);
  assert.is(bob.state, 'failed');
  await Promise.all([alice.close(), bob.close()]);
  await server.stop();
});

test('what was not acknowledged comes again in the next life, what was does not', async () => {
  const server = await serverAt(directory('manual'));
  const path = join(directory('manual-store'), 'bob');
  const alice = await clientOf(server, 'alice');
  let bob = await clientOf(server, 'bob', { store: new FileStore(path) });
  await Promise.all(['a', 'b', 'c', 'd'].map((body) => alice.send({ to: bob.id, body })));
  let seen = 0;
  for await (const message of bob.mailbox({ acknowledge: 'manual' })) {
    if (++seen !== 3) message.ack(); // the third stays; the fourth was acknowledged behind it
    if (seen === 4) break;
  }
  await bob.close();
  bob = await clientOf(server, 'bob', { store: new FileStore(path) });
  assert.equal(await read(bob, 2), ['c', 'd']);
  await bob.close();
  // Another copy of the key acknowledges what the store has not seen.
  await alice.send({ to: bob.id, body: 'e' });
  const copy = await clientOf(server, 'bob');
  assert.is(copy.resumed.complete, false);
  assert.equal(await read(copy, 1), ['e']);
  await copy.close();
  const gaps: number[] = [];
  bob = await clientOf(server, 'bob', {
    store: new FileStore(path),
    onReady: (on) => void on('gap', ({ from, to }) => gaps.push(from, to)),
  });
  assert.is(gaps.length, 2);
  assert.ok(gaps[0]! < gaps[1]!);
  await alice.send({ to: bob.id, body: 'f' });
  assert.equal(await read(bob, 1), ['f']);
  await Promise.all([alice.close(), bob.close()]);
  await server.stop();
});

test('nobody there, or somebody else: a coded error', async () => {
  const server = await serverAt(directory('else'));
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'none',
      (error) => error.code as string,
    );
  assert.is(await codeOf(clientOf(server, 'alice', { server: 'ab'.repeat(32) })), 'wrong-server');
  assert.is(await codeOf(clientOf(server, 'alice', { url: 'http://127.0.0.1:1' })), 'connection-lost');
  await server.stop();
});

test.run();
