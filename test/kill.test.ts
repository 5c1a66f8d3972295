/** The server's process is killed, at every point of the commit path and at any moment; nothing is lost. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from './client-helpers.js';
import { clientAt, serving } from './support/attacked.js';
import { LogAudit, Signed } from './support/audit.js';
import type { Chat } from './support/chat.js';
import { CRASH_POINTS } from './support/crashing-worker.js';
import { atPoint, clean, during, seedOfRun } from './support/kill-rounds.js';
import { ServerProcess } from './support/server-process.js';

const test = suite('kill -9');
const SEED = seedOfRun();

test('after every single one of the first epochs', async () => {
  const data = directory('first-epochs');
  const log = new LogAudit(new Signed());
  const server = await ServerProcess.at(data, { 'epoch-heartbeat-ms': '60000' });
  await serving(server, async () => {
    const anna = await clientAt(server.url, 'anna');
    for (let epochs = 1; epochs <= 4; epochs++) {
      const { counter, checkpointSize } = await anna.send({ to: anna.id, body: 'x' });
      assert.equal([counter, checkpointSize], [epochs, epochs]);
      await server.kill();
      await log.look(data);
      assert.equal([log.size, ...log.problems], [epochs]);
      assert.is(await server.start(), null);
    }
    const counters: number[] = [];
    for await (const { counter } of anna.mailbox()) if (counters.push(counter) === 4) break;
    assert.equal(counters, [1, 2, 3, 4]);
    await anna.close();
  });
});

test('at every point of the commit path', async () => {
  const flags = { inboxes: '1', outboxes: '1', threads: '1' };
  const everyPoint = async (chat: Chat) => {
    for (const [i, point] of CRASH_POINTS.entries()) clean(await atPoint(chat, point, 1 + (i % 5)), point);
  };
  // No client dies here, so none needs a process of its own.
  const { kills } = await during(flags, SEED, everyPoint, []);
  assert.ok(kills >= CRASH_POINTS.length);
});

test('at any moment, on two threads, clients too, with full mailboxes and old epochs to sweep', async () => {
  const little = { 'limits-unacknowledged-epochs': '8', 'limits-retention-epochs': '2000' };
  const flags = { inboxes: '2', outboxes: '2', threads: '2', ...little };
  await during(flags, SEED + 1, async (chat) => {
    for (const restarted of [['dora'], ['emil', 'dora'], []])
      clean(await chat.kill(restarted), `with ${restarted}`);
    clean(await chat.crashAt('durable', 3), 'durable');
    clean(await chat.restart(), 'after a restart in order');
    clean(await chat.comeBack('dora'), 'after an orderly close');
  });
});

test.run();
