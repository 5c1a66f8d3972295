/** The server's process is killed, at every point of the commit path and at any moment; nothing is lost. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CRASH_POINTS } from './support/crashing-worker.js';
import { atPoint, clean, during, seedOfRun } from './support/kill-rounds.js';

const test = suite('kill -9');
const SEED = seedOfRun();

test('at every point of the commit path', async () => {
  const flags = { inboxes: '1', outboxes: '1', threads: '1' };
  const { kills } = await during(flags, SEED, async (chat) => {
    for (const [i, point] of CRASH_POINTS.entries()) clean(await atPoint(chat, point, 1 + (i % 5)), point);
  });
  assert.ok(kills >= CRASH_POINTS.length);
});

test('at any moment, on two threads, clients too', async () => {
  const flags = { inboxes: '2', outboxes: '2', threads: '2' };
  await during(flags, SEED + 1, async (chat) => {
    for (const restarted of [[], ['dora'], ['emil', 'dora'], [], ['emil']])
      clean(await chat.kill(restarted), `with ${restarted}`);
    for (const point of ['attested', 'durable'] as const) clean(await chat.crashAt(point, 3), point);
    clean(await chat.comeBack('dora'), 'after an orderly close');
  });
});

test.run();
