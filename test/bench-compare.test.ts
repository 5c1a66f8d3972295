/** `bench compare`: what it says, what it refuses, and by which exit code a script can tell. */
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

test('too few runs, or too noisy ones, cannot tell: exit code 3', async () => {
  const few = await compared(side('A', 4, 1), side('B', 4, 1.5));
  assert.is(few.status, 3);
  assert.match(few.stdout, /CANNOT TELL: fewer than 5 pairs/);
  const noisy = side('B', 6, 1).map((run, i) => ({ ...run, deliveredPerSecond: i % 2 ? 60_000 : 150_000 }));
  const told = await compared(side('A', 6, 1), noisy, '--metric', 'throughput');
  assert.is(told.status, 3);
  assert.match(told.stdout, /CANNOT TELL: too noisy/);
});

test('runs that took no turns, and a partner that is missing, are told', async () => {
  const after = side('B', 6, 1).map((run) => ({ ...run, startedAt: run.startedAt.replace('2026', '2027') }));
  const { stdout } = await compared(side('A', 8, 1), after);
  assert.match(stdout, /WARNING: the runs did not take turns/);
  assert.match(stdout, /WARNING: A has 8 runs and B 6/);
});

test('another Node is told, another machine refused', async () => {
  const node = await compared(side('A', 5, 1), side('B', 5, 1, { node: 'v22.0.0' }));
  assert.is(node.status, 0);
  assert.match(node.stdout, /WARNING: node differs/);
  const cores = await compared(side('A', 5, 1), side('B', 5, 1, { cores: 8 }));
  assert.is(cores.status, 2);
  assert.match(cores.stderr, /not on one machine: cores differs/);
});

test('systems and configurations in one folder are compared each with its own', async () => {
  const both = (name: 'A' | 'B', slower: number) => [
    ...side(name, 5, 1),
    ...side(name, 5, slower, { system: 'central' }),
    ...side(name, 5, 1, { set: ['recipients=10'] }),
  ];
  const { status, stdout } = await compared(both('A', 1), both('B', 1.2), '--json');
  assert.is(status, 1);
  const verdicts = JSON.parse(stdout).map(({ lines }: { lines: { verdict: string }[] }) => lines[0]!.verdict);
  assert.equal(verdicts, ['not slower', 'slower', 'not slower']);
});

test.run();
