/** The server's process is killed at a point of the commit path; nothing is lost. At any moment: test/long/kill.test.ts. */
import { suite } from 'uvu';
import { CRASH_POINTS } from './support/crashing-worker.js';
import { atEach, seedOfRun } from './support/kill-rounds.js';

const test = suite('kill -9');
const SEED = seedOfRun();

// test/long/kill.test.ts: at all of them.
test('at a point of the commit path, of which SEED says which', () => {
  const point = CRASH_POINTS[SEED % CRASH_POINTS.length]!;
  console.log(`point: ${point}`);
  return atEach([point], SEED);
});

test.run();
