/** `bench compare`: what it cannot tell, what it refuses, and by which exit code a script can tell. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from '../client-helpers.js';
import { bench } from '../support/bench.js';
import { compared, side } from '../support/bench-compare.js';
import { madeRun, notAvailable, writeRuns } from '../support/runs.js';

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

test('too few runs, or too noisy ones, cannot tell: exit code 3', async () => {
  const few = await compared(side('A', 4, 1), side('B', 4, 1.5));
  assert.is(few.status, 3);
  assert.match(few.stdout, /CANNOT TELL: fewer than 5 pairs/);
  const noisy = side('B', 6, 1).map((run, i) => ({ ...run, deliveredPerSecond: i % 2 ? 60_000 : 150_000 }));
  const told = await compared(side('A', 6, 1), noisy, '--metric', 'throughput');
  assert.is(told.status, 3);
  assert.match(told.stdout, /CANNOT TELL: too noisy/);
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

test('runs that took no turns, and a partner that is missing, are told', async () => {
  const after = side('B', 6, 1).map((run) => ({ ...run, startedAt: run.startedAt.replace('2026', '2027') }));
  const { stdout } = await compared(side('A', 8, 1), after);
  assert.match(stdout, /WARNING: the runs did not take turns/);
  assert.match(stdout, /WARNING: A has 8 runs and B 6/);
});

test.run();
