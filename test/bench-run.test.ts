/** The bench as a program: short real runs, what they leave behind, and what is said when something is asked wrongly. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { main as findMaxMain } from '../bench/find-max.js';
import type { RunResult } from '../bench/result.js';
import { main as runMain } from '../bench/run.js';
import { directory } from './client-helpers.js';

const run = promisify(execFile);
const bench = (name: string) => fileURLToPath(new URL(`../bench/${name}.js`, import.meta.url));

/** A little load, two recipients, in a folder of its own; returns the lines of the runs, and the folder. */
async function runs(systems: string, ...more: string[]) {
  const out = directory('bench-runs');
  const little = [
    'server.epochIntervalMs=10',
    'senders=4',
    'load.window=4',
    'mailboxes=40',
    'receivers=4',
    'recipients=2',
  ];
  const knobs = [...little, ...more].flatMap((knob) => ['--set', knob]);
  const times = ['--seconds', '1.5', '--warmup', '0.5'];
  const args = ['run', 'throughput', '--json', '--out', out, '--system', systems, ...times, ...knobs];
  // Of a run that is void the lines say why.
  const { stdout, stderr } = await run(process.execPath, [bench('main'), ...args]).catch((error) => error);
  assert.not.match(stderr, /^bench run: /);
  const lines = stdout.trim().split('\n');
  return { lines: lines.map((line: string) => JSON.parse(line)), out };
}

test('everything sent is acknowledged and delivered once, in one order, whether clients verify or not', async () => {
  const { lines, out } = await runs('countersign,countersign-unverified');
  assert.equal(
    lines.map(({ system, verified }: Record<string, unknown>) => [system, verified]),
    [
      ['countersign', 'every receipt and delivery'],
      ['countersign-unverified', 'nothing'],
    ],
  );
  for (const line of lines) {
    assert.equal(line.void, []);
    assert.is(line.totalOrder, true);
    for (const name of ['deliveredPerSecond', 'p50Ms', 'p99Ms', 'p999Ms', 'serverCpuSecondsPerMillion'])
      assert.ok(line[name] > 0, name);
    for (const name of ['lost', 'duplicated', 'misordered', 'skipped', 'altered', 'unverified'])
      assert.is(line[name], 0, name);
  }
  assert.is(readdirSync(out).length, 2);
  for (const folder of readdirSync(out)) checkFiles(join(out, folder));
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

test('what is asked wrongly is named; the program says so and ends with 2', async () => {
  const wrong: readonly (readonly [RegExp, (args: string[]) => Promise<void>, ...string[]])[] = [
    [/bogus/, runMain, 'throughput', '--set', 'bogus=1'],
    [/--bogus/, runMain, 'throughput', '--bogus'],
    [/--system kafka/, runMain, 'throughput', '--system', 'kafka'],
    [/WORKLOAD/, runMain],
    [/--slo/, findMaxMain, 'throughput'],
  ];
  for (const [text, main, ...args] of wrong) {
    const error = await main(args).then(
      () => null,
      (reason: Error) => reason,
    );
    assert.instance(error, TypeError);
    assert.match(error!.message, text);
  }
  const ended = await run(process.execPath, [bench('main'), 'walk']).catch((error) => error);
  assert.equal([ended.code, /no command walk/.test(ended.stderr)], [2, true]);
});

test('interrupted, it stops what it started and leaves nothing behind', async () => {
  const place = directory('bench-interrupted');
  const args = ['run', 'throughput', '--seconds', '60', '--out', join(place, 'results')];
  const temporary = join(place, 'tmp');
  mkdirSync(temporary);
  const child = spawn(process.execPath, [bench('main'), ...args], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  const started = () =>
    readdirSync(temporary).some((run) => existsSync(join(temporary, run, 'data', 'store')));
  while (!started()) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGINT');
  assert.equal(await ended, [130, null]);
  assert.equal(readdirSync(temporary), []);
});

/** The whole result: histograms, seconds and stages can be read again. */
function checkFiles(folder: string): void {
  const result = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as RunResult;
  const { audit, histograms, intervals, stages, environment } = result;
  assert.ok(audit.sent > 0 && audit.delivered === 2 * audit.sent && audit.acknowledged === audit.sent);
  const delivered = decodeFromCompressedBase64(histograms.delivered);
  assert.is(delivered.getValueAtPercentile(99) / 1000, result.p99Ms);
  assert.is(intervals.length, 2);
  for (const stage of ['fill', 'take', 'close', 'route', 'merge', 'link', 'commit', 'fsync', 'deliver'])
    assert.ok(stages![stage]!.length > 0, stage);
  assert.ok(environment.fdatasyncMs > 0 && environment.systemVersion !== '' && result.diskBytes > 0);
  const [names, ...rows] = readFileSync(join(folder, 'intervals.csv'), 'utf8').trim().split('\n');
  assert.is(names!.split(',').length, rows[0]!.split(',').length);
}

test.run();
