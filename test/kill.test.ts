/** The server's process is killed, at points of the commit path and at any moment; nothing is lost. */
import { suite } from 'uvu';
import { CRASH_POINTS } from './support/crashing-worker.js';
import { atEach, clean, during, seedOfRun } from './support/kill-rounds.js';

const test = suite('kill -9');
const SEED = seedOfRun();

// test/long/kill.test.ts: at all of them. Which ones the seed decides: eight seeds that follow on each other have all.
test('at every eighth point of the commit path', () => {
  const points = CRASH_POINTS.filter((_, i) => i % 8 === SEED % 8);
  console.log(`points: ${points.join(', ')}`);
  return atEach(points, SEED);
});

test('at any moment, on two threads, clients too, with full mailboxes and old epochs to sweep', async () => {
  const little = { 'limits-unacknowledged-epochs': '8', 'limits-retention-epochs': '2000' };
  const flags = { inboxes: '2', outboxes: '2', threads: '2', ...little };
  await during(flags, SEED + 1, async (chat) => {
    clean(await chat.kill(['emil', 'dora']), 'with emil and dora');
    clean(await chat.crashAt('durable', 3), 'durable');
    clean(await chat.restart(), 'after a restart in order');
    clean(await chat.comeBack('dora'), 'after an orderly close');
  });
});

test.run();
