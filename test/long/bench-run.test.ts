/** Short real runs of the bench: several systems and settings, and a small sweep. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { RunResult } from '../../bench/result.js';
import { directory } from '../client-helpers.js';
import { bench } from '../support/bench.js';
import { runs, runsCleanly } from '../support/bench-runs.js';

test('everything sent is acknowledged and delivered once, in one order, whether clients verify or not', () =>
  runsCleanly({ countersign: 'every receipt and delivery', 'countersign-unverified': 'nothing' }));

test('what is only passed on comes once, in one order; and it is said that nothing is kept', async () => {
  const { lines } = await runs('echo');
  const { durable, totalOrder, void: why } = lines[0];
  assert.equal([durable, totalOrder, why], ['nowhere: passed on, not kept', true, []]);
  assert.ok(lines[0].deliveredPerSecond > 0);
});

test('where submissions must be signed, all clients sign', async () => {
  const { lines } = await runs('countersign,countersign-unverified', 'server.submissions=required');
  for (const line of lines) {
    assert.equal(line.void, []);
    assert.ok(line.deliveredPerSecond > 0);
  }
});

test('JSON, envelopes, several actors, messages that wait for their readers, and mailboxes that nobody reads meanwhile', async () => {
  const actors = ['server.inboxes=2', 'server.outboxes=2', 'server.threads=2', 'server.durability=none'];
  const more = [...actors, 'online=10', 'waiting=200', 'encoding=json', 'envelopeBytes=9'];
  const { lines, out } = await runs('countersign,countersign-unverified', ...more);
  assert.match(lines[0].notAvailable, /verification=none/);
  assert.equal([lines[1].void, lines[1].durable], [[], 'in memory per epoch']);
  const [folder] = readdirSync(out);
  const result = JSON.parse(readFileSync(join(out, folder!, 'run.json'), 'utf8')) as RunResult;
  assert.is(result.audit.delivered, 2 * result.audit.sent);
  assert.ok(result.returnSeconds! > 0);
});

test('a small sweep: a run.json per run, in turns, a line each, a table and a CSV', async () => {
  const out = directory('bench-sweep');
  const little = [
    'server.epochIntervalMs=10',
    'senders=2',
    'load.window=16',
    'mailboxes=20',
    'receivers=2',
  ].flatMap((knob) => ['--set', knob]);
  const times = ['--seconds', '0.7', '--warmup', '0.3', '--repeat', '1'];
  const args = ['sweep', 'throughput', '--over', 'recipients=1,2', '--out', out, ...little, ...times];
  const { status, stdout, stderr } = await bench(args);
  assert.is(status, 0, stderr);
  assert.match(
    stderr,
    /^throughput 1\/2 countersign recipients=1: [\d,.]+ deliveries\/s, p99 [\d,.]+ ms; \d+ s left$/m,
  );
  assert.match(stderr, /^throughput 2\/2 countersign recipients=2: .*; 0 s left$/m);
  assert.match(stdout, /^countersign +throughput +2 +1 of 1 /m);
  const folder = join(out, 'throughput');
  const runs = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'run.json')));
  assert.is(runs.length, 2);
  const csv = readFileSync(join(folder, 'sweep.csv'), 'utf8').trimEnd().split('\n');
  assert.match(csv[0]!, /^system,workload,recipients,runs,deliveredPerSecondMedian,/);
  assert.match(csv[2]!, /^countersign,throughput,2,1,\d/);
});

test.run();
