/** `bench compare`: what it refuses, and by which exit code a script can tell. */
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

test.run();
