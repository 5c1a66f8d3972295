/** What can befall a server as a process, where it takes long: a full disk, a reader that never reads, an old copy of its data. */
import { cpSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, FileStore, MemoryStore } from '../../src/client/index.js';
import { directory } from '../client-helpers.js';
import { take } from '../support/attack-process.js';
import { clientAt, memoryOf, serving } from '../support/attacked.js';
import { idOf } from '../support/names.js';
import { Raw } from '../support/raw.js';
import { ServerProcess } from '../support/server-process.js';

const FULL_STORE = new URL('../support/full-disk-worker.js', import.meta.url).pathname;
const test = suite('attacks on a process');

test('a client that never reads: its mail stays on disk, the others keep their speed', async () => {
  const limits = { 'limits-bytes-in-flight': '1048576' };
  const server = await ServerProcess.at(directory('slow'), { threads: '1', ...limits });
  await serving(server, async () => {
    const { url } = server;
    const slow = await Raw.session(url, '/v1/outboxes/0', 'slow');
    slow.socket.pause();
    const [anna, ben] = await Promise.all([clientAt(url, 'anna'), clientAt(url, 'ben')]);
    const body = new Uint8Array(100_000);
    const before = memoryOf(server);
    const count = 600;
    let slowest = 0;
    const mail = ben.mailbox();
    for (let sent = 0; sent < count; sent += 50) {
      const flood = Array.from({ length: 50 }, () => anna.send({ to: idOf('slow'), body }));
      const began = performance.now();
      await ben.send({ to: ben.id, body: 'quick' });
      await mail.next();
      slowest = Math.max(slowest, performance.now() - began);
      await Promise.all(flood);
    }
    const grown = memoryOf(server) - before;
    console.log(`slowest ${slowest.toFixed(0)} ms, ${grown.toFixed(0)} MiB more for ${count / 10} MB unread`);
    assert.ok(slowest < 2000, `${slowest} ms`);
    // Blocks in use and up to 64 MiB of recent epochs are kept; what waits for one reader is not.
    assert.ok(grown < 260, `${grown} MiB`);
    slow.close();
    const store = new MemoryStore();
    const reader = await clientAt(url, 'slow', { store });
    assert.is((await take(reader, count)).length, count);
    await Promise.all([anna.close(), ben.close(), reader.close()]);
  });
});

test('a second process on the data directory is refused, and the first goes on', async () => {
  const data = directory('second');
  const server = await ServerProcess.at(data);
  const second = await ServerProcess.at(data);
  await serving(server, async () => {
    assert.is((await second.start())?.failed, 'data-locked');
    const anna = await clientAt(server.url, 'anna');
    await anna.send({ to: anna.id, body: 'still here' });
    await anna.close();
  });
});

test('an old copy of the data directory stops the server as soon as a client knows better', async () => {
  const data = directory('rollback');
  const stores = directory('rollback-stores');
  const server = await ServerProcess.at(data, { 'epoch-heartbeat-ms': '60000' });
  let store = new FileStore(join(stores, 'anna'));
  await serving(server, async () => {
    const anna = await clientAt(server.url, 'anna', { store });
    await anna.send({ to: anna.id, body: 'one' });
    await anna.close();
    await server.kill('SIGTERM');
    cpSync(join(data, 'store'), join(data, 'old'), { recursive: true });
    assert.is(await server.start(), null);
    store = new FileStore(join(stores, 'anna'));
    const again = await clientAt(server.url, 'anna', { store });
    await again.send({ to: again.id, body: 'two' });
    await again.close();
    await server.kill('SIGTERM');
    renameSync(join(data, 'store'), join(data, 'new'));
    renameSync(join(data, 'old'), join(data, 'store'));
    assert.is(await server.start(), null);
    store = new FileStore(join(stores, 'anna'));
    const refused = clientAt(server.url, 'anna', { store, connectTimeoutMs: 3000 });
    refused.then(
      (client) => client.close(),
      () => {},
    );
    const { failed, text, code } = await server.ended();
    assert.is(failed, 'log-rolled-back', text);
    assert.is(code, 3);
    await refused.catch(() => {});
  });
});

test('a full disk: the server says so and stops; nothing acknowledged is lost', async () => {
  const data = directory('full');
  const env = { FULL_AFTER: '30' };
  const server = await ServerProcess.at(data, {}, FULL_STORE, env);
  const receipts: string[] = [];
  let anna!: Client;
  let ben!: Client;
  await serving(server, async () => {
    [anna, ben] = await Promise.all([clientAt(server.url, 'anna'), clientAt(server.url, 'ben')]);
    let stopped = false;
    const ended = server.ended().finally(() => (stopped = true));
    const late: Promise<unknown>[] = [];
    for (let i = 0; !stopped; i++) {
      late.push(
        anna.send({ to: ben.id, body: `${i}` }).then(({ counter }) => receipts.push(`${counter} ${i}`)),
      );
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const { failed, text, code } = await ended;
    assert.is(code, 3);
    assert.is(failed, 'store-failed', text);
    assert.match(text, /ENOSPC|no space/i);
    assert.ok(receipts.length > 0);
    // Space was made: the same server goes on.
    env.FULL_AFTER = `${2 ** 40}`;
    assert.is(await server.start(), null);
    await Promise.all(late);
    const messages = await take(ben, receipts.length);
    assert.equal(
      messages.map(({ counter, body }) => `${counter} ${Buffer.from(body)}`),
      receipts,
    );
    await Promise.all([anna.close(), ben.close()]);
  });
});

test.run();
