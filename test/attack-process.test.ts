/** What can befall a server as a process: a reader that never reads, a crowd, a full disk, an old copy of its data. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client } from '../src/client/index.js';
import { directory } from './client-helpers.js';
import { take } from './support/attack-process.js';
import { clientAt, crowd, serving } from './support/attacked.js';
import { ServerProcess } from './support/server-process.js';

const test = suite('attacks on a process');
const FULL_STORE = new URL('./support/full-disk-worker.js', import.meta.url).pathname;

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

// test/long/attack.test.ts: ten thousand.
test('fifty clients at once', () => crowd(50));

test.run();
