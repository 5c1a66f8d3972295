/** The client against a server: who closes in the middle of reading, many times. */

import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { FileStore } from '../../src/client/index.js';
import { clientOf, directory, keyOf, serverAt } from '../client-helpers.js';

const keyId = (name: string) => importSecretKey(keyOf(name)).publicKey;

const test = suite('client and server');

test('who closes in the middle of reading is shown no message twice, and none is left out', async () => {
  const server = await serverAt(directory('closing'));
  const path = join(directory('closing-store'), 'bob');
  const alice = await clientOf(server, 'alice');
  await (await clientOf(server, 'bob', { store: new FileStore(path) })).close();
  const count = 600;
  const sending = (async () => {
    for (let i = 0; i < count; i++) {
      void alice.send({ to: keyId('bob'), body: `${i}` });
      if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  const texts: string[] = [];
  for (let life = 0; texts.length < count; life++) {
    const bob = await clientOf(server, 'bob', { store: new FileStore(path) });
    const reading = (async () => {
      for await (const message of bob.mailbox()) texts.push(Buffer.from(message.body).toString());
    })();
    await new Promise((resolve) => setTimeout(resolve, 5 + (life % 7) * 5));
    await bob.close();
    await reading;
  }
  await sending;
  assert.equal(
    texts,
    Array.from({ length: count }, (_, i) => `${i}`),
  );
  await alice.close();
  await server.stop();
});

test.run();
