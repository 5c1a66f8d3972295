/** `bench compare`: what it says, what it refuses, and by which exit code a script can tell. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { RunResult } from '../bench/result.js';
import { directory } from './client-helpers.js';
import { bench } from './support/bench.js';
import { madeRun, notAvailable, writeRuns } from './support/runs.js';

type Wanted = Parameters<typeof madeRun>[0];

/** Pair i began at i · 20 s, B 10 s after A; every run differs a little from the one before. */
function side(name: 'A' | 'B', pairs: number, slower: number, wanted: Wanted = {}): RunResult[] {
  return Array.from({ length: pairs }, (_, i) => {
    const wobble = 1 + 0.004 * Math.sin(i * 2.4 + (name === 'B' ? 1 : 0));
    const spell = i === 2 ? 2 : 1;
    const level = slower * wobble * spell;
    const run = { perSecond: 101_000 / level, cpu: 8 * level, p50Ms: 40 * level };
    return madeRun({ ...run, at: i * 20 + (name === 'B' ? 10 : 0), ...wanted });
  });
}

async function compared(a: Parameters<typeof writeRuns>[1], b: typeof a, ...more: string[]) {
  const root = directory('bench-compare');
  return bench(['compare', writeRuns(join(root, 'a'), a), writeRuns(join(root, 'b'), b), ...more]);
}

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

test('what is not comparable is refused, and said: exit code 2', async () => {
  const a = side('A', 5, 1);
  const [first, ...others] = side('B', 5, 1);
  for (const [b, reason] of [
    [side('B', 5, 1, { workload: 'fanout' }), /A has countersign, throughput: B has no such run/],
    [side('B', 5, 1, { set: ['senders=4'] }), /in B it ran with other senders/],
    [[...others, { ...first!, void: ['3 lost'] }], /B: countersign, throughput: a void run: 3 lost/],
    [[...others, notAvailable('nats-ws', 'not installed')], /B: nats-ws, throughput: n\/a: not installed/],
    [[...side('B', 5, 1), madeRun({ system: 'central' })], /B has central, throughput: A has no such run/],
    [side('B', 5, 1, { durable: 'in memory' }), /other promises/],
  ] as const) {
    const { status, stderr } = await compared(a, b);
    assert.is(status, 2, stderr);
    assert.match(stderr, reason);
  }
});

test('a wrong command line is exit code 2, never 1', async () => {
  const folder = writeRuns(directory('bench-compare'), [madeRun()]);
  for (const args of [
    [folder],
    [folder, `${folder}/none`],
    [folder, directory('bench-compare')],
    [folder, folder, '--threshold', '5'],
    [folder, folder, '--metric', 'speed'],
    [folder, folder, '--seed', 'x'],
    [folder, folder, '--nothing'],
  ])
    assert.is((await bench(['compare', ...args])).status, 2, args.slice(1).join(' '));
  writeFileSync(join(folder, '000', 'run.json'), '{"format":');
  const { status, stderr } = await bench(['compare', folder, folder]);
  assert.is(status, 2);
  assert.match(stderr, /000\/run\.json: expected format countersign-bench\/1/);
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
