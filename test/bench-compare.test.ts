/** `bench compare`: what it says, and by which exit code a script can tell. What it refuses: test/long/bench-compare.test.ts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compared, side } from './support/bench-compare.js';

test('no difference: not slower, exit code 0, with the method beside it', async () => {
  const { status, stdout } = await compared(side('A', 8, 1), side('B', 8, 1));
  assert.is(status, 0, stdout);
  assert.match(stdout, /^countersign, throughput: 8 pairs of runs$/m);
  assert.is(stdout.match(/ not slower by more than 5 %$/gm)?.length, 4);
  assert.match(stdout, /bootstrap over pairs, seed 1; at least 5 pairs/);
  assert.not.match(stdout, /WARNING/);
});

test('a slow spell that hits a pair alike is no difference; 10 % are, exit code 1', async () => {
  const { status, stdout } = await compared(side('A', 8, 1), side('B', 8, 1.1));
  assert.is(status, 1);
  assert.match(stdout, /^deliveries per second +100,\d+ +9\d,\d+ +1\.10\d .* SLOWER by more than 5 %$/m);
  assert.match(stdout, /^server CPU.* SLOWER/m);
});

test('10 % are within a threshold of 25 %; one metric may be asked for', async () => {
  const more = ['--threshold', '25%', '--metric', 'cpu', '--json'];
  const { status, stdout } = await compared(side('A', 8, 1), side('B', 8, 1.1), ...more);
  assert.is(status, 0);
  const [{ lines }] = JSON.parse(stdout);
  assert.is(lines.length, 1);
  assert.is(lines[0].metric, 'cpu');
  assert.ok(Math.abs(lines[0].effect.ratio - 1.1) < 0.01);
});

test('twice as fast is not slower', async () => {
  assert.is((await compared(side('A', 5, 1), side('B', 5, 0.5))).status, 0);
});

test.run();
