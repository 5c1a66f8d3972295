/** Clients at limits that are tiny: they back off from a server that is busy, and notice one that has vanished. */
import { setTimeout as pass } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clientOf, directory, read, serverAt } from '../client-helpers.js';
import { bundle, FRONT, submit } from '../support/limits.js';
import { Raw } from '../support/raw.js';
import { silentProxy } from '../support/silent-proxy.js';

const test = suite('limits');

test('a client notices that its server has vanished without a word, and comes back', async () => {
  const server = await serverAt(directory('limits'));
  const proxy = await silentProxy(server.url);
  const port = new URL(proxy.url).port;
  await server.stop();
  const { data } = server.config;
  // The address that clients are told must be the proxy's, too.
  const again = await serverAt(data, {
    port: new URL(server.url).port,
    'public-url': `ws://127.0.0.1:${port}`,
  });
  const client = await clientOf({ ...again, url: proxy.url }, 'ann', { silenceMs: 300 });
  proxy.silence();
  const began = performance.now();
  await client.send({ to: client.id, body: 'x' });
  const took = performance.now() - began;
  assert.ok(took > 100 && took < 10_000, `${took} ms`);
  await client.close();
  await again.stop();
  proxy.close();
});

test('clients back off from a server that is busy, and lose and reorder nothing', async () => {
  const server = await serverAt(directory('limits'), {
    'limits-messages-per-epoch': '3',
    'epoch-min-interval-ms': '5',
    'limits-busy-after-ms': '0',
    'limits-busy-retry-ms': '30',
  });
  const reader = await clientOf(server, 'reader');
  const senders = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => clientOf(server, name)));
  const count = 30;
  const watch = await Raw.session(server.url, FRONT, 'watch');
  const sending = senders.map(async (client, i) => {
    const receipts: Promise<unknown>[] = [];
    for (let n = 0; n < count; n++) {
      receipts.push(client.send({ to: reader.id, body: `${i} ${n}` }));
      if (n % 3 === 0) await pass(1);
    }
    await Promise.all(receipts);
  });
  // One more that does not back off tells us that the others had reason to.
  for (let i = 1; i <= 30; i++) watch.send(submit(i, bundle(['watch'])));
  assert.is((await watch.error()).retryAfterMs, 30);
  await Promise.all(sending);
  const texts = await read(reader, senders.length * count);
  senders.forEach((_, i) => {
    const own = texts.filter((text) => text.startsWith(`${i} `));
    assert.equal(
      own,
      Array.from({ length: count }, (_, n) => `${i} ${n}`),
    );
  });
  watch.close();
  await Promise.all([reader, ...senders].map((client) => client.close()));
  await server.stop();
});

test.run();
