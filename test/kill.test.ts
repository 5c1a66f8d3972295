/** The server's process is killed at points of the commit path; nothing is lost. At any moment: test/long/kill.test.ts. */
import { suite } from 'uvu';
import { CRASH_POINTS } from './support/crashing-worker.js';
import { atEach, seedOfRun } from './support/kill-rounds.js';

const test = suite('kill -9');
const SEED = seedOfRun();

// test/long/kill.test.ts: at all of them. Which ones the seed decides: eight seeds that follow on each other have all.
test('at every eighth point of the commit path', () => {
  const points = CRASH_POINTS.filter((_, i) => i % 8 === SEED % 8);
  console.log(`points: ${points.join(', ')}`);
  return atEach(points, SEED);
});

test.run();
