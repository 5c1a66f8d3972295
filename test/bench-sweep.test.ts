/** `bench sweep`: what it plans, and how it sums up what does not count. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cellsOf, csvRowsOf, textOf } from '../bench/cells.js';
import { main } from '../bench/sweep.js';
import { planOf, sweepNames } from '../bench/sweep-plan.js';
import { systemOf } from '../bench/systems/index.js';
import { csvOf } from '../bench/text.js';
import { directory } from './client-helpers.js';
import { madeRun, notAvailable } from './support/runs.js';

const nothing = { over: [], set: [], systems: null, repeat: null };

test('every combination, the last knob fastest; knobs that change together are one', () => {
  const over = ['server.threads=1,2', 'server.inboxes+server.outboxes=1,2', 'verification=all,none'];
  const { cells, systems, repeat } = planOf('throughput', { ...nothing, over, set: ['senders=4'] });
  assert.equal(
    cells.map(({ workload: { server, verification } }) =>
      [server.threads, server.inboxes, server.outboxes, verification].join(' '),
    ),
    [
      '1 1 1 all',
      '1 1 1 none',
      '1 2 2 all',
      '1 2 2 none',
      '2 1 1 all',
      '2 1 1 none',
      '2 2 2 all',
      '2 2 2 none',
    ],
  );
  assert.ok(cells.every(({ workload }) => workload.senders === 4));
  assert.equal([systems, repeat], [['countersign'], 3]);
});

test('every built-in sweep fits the workloads and the systems; the command line goes over it', () => {
  assert.ok(sweepNames().length >= 4);
  for (const name of sweepNames()) planOf(name, nothing).systems.forEach(systemOf);
  const asked = { over: ['mailboxes=50,60'], set: ['senders=2'], systems: ['a'], repeat: 7 };
  const { cells, systems, repeat } = planOf('mailboxes', asked);
  assert.equal(
    cells.map(({ workload }) => workload.mailboxes),
    [50, 60],
  );
  assert.equal([systems, repeat], [['a'], 7]);
});

test('mistakes are named before anything runs', async () => {
  const file = join(directory('bench-sweep'), 'sweep.json');
  writeFileSync(
    file,
    JSON.stringify({ about: '', workload: 'throughput', over: { senders: [1] }, systems: [], repeat: 1 }),
  );
  for (const [args, reason] of [
    [['throughput'], /--over: expected one at least/],
    [['throughput', '--over', 'senders'], /--over senders: expected path\.to\.knob=value,value/],
    [['throughput', '--over', 'sendres=1'], /sendres/],
    [['throughput', '--over', 'senders=0'], /senders/],
    [['shards', '--system', 'none'], /--system none/],
    [['shards', 'nothing'], /nothing/],
    [[file], /systems/],
    [[], /NAME/],
  ] as const) {
    const error = await main([...args]).catch((thrown: unknown) => thrown);
    // The program makes exit code 2 of these.
    assert.instance(error, TypeError);
    assert.match((error as TypeError).message, reason);
  }
});

test('void runs and what is not available are named, and not averaged in', () => {
  const cells = cellsOf([
    madeRun({ perSecond: 100_000 }),
    madeRun({ perSecond: 110_000 }),
    madeRun({ perSecond: 990_000, void: ['3 lost'] }),
    notAvailable('nats-ws', 'not installed: run "x"'),
  ]);
  const text = textOf(cells);
  assert.match(text, /^countersign +throughput +2 of 3 +105,000 \(100,000 … 110,000\)/m);
  assert.match(text, /^countersign throughput: VOID: 1 of 3: 3 lost$/m);
  assert.match(text, /^nats-ws +throughput +0 of 1 +none/m);
  assert.match(text, /^nats-ws throughput: N\/A: not installed: run "x"$/m);
  const csv = csvOf(csvRowsOf(cells));
  assert.match(csv, /^countersign,throughput,2,105000,100000,110000,.*,VOID: 1 of 3: 3 lost$/m);
  assert.match(csv, /^nats-ws,throughput,0,,,,.*,"N\/A: not installed: run ""x"""$/m);
});

test('a figure that a run does not have is none', () => {
  const [cell] = cellsOf([
    madeRun(),
    { ...madeRun(), p50Ms: Number.NaN },
    { ...madeRun(), p50Ms: JSON.parse('null') },
  ]);
  assert.match(textOf([cell!]), /3 of 3 .* 40\.0 {2}/);
});

test.run();
