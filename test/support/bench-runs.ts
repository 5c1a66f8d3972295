/** Short real runs of the bench, and what must be true of them. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import * as assert from 'uvu/assert';
import type { RunResult } from '../../bench/result.js';
import { directory } from '../client-helpers.js';
import { PROGRAM } from './bench.js';

const run = promisify(execFile);

/** A little load, two recipients, in a folder of its own; returns the lines of the runs, and the folder. */
export async function runs(systems: string, ...more: string[]) {
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
  const { stdout, stderr } = await run(process.execPath, [PROGRAM, ...args]).catch((error) => error);
  assert.not.match(stderr, /^bench run: /);
  const lines = stdout.trim().split('\n');
  return { lines: lines.map((line: string) => JSON.parse(line)), out };
}

/** Everything sent is acknowledged and delivered once, in one order: `verified` by system. */
export async function runsCleanly(verified: Readonly<Record<string, string>>): Promise<void> {
  const systems = Object.keys(verified);
  const { lines, out } = await runs(systems.join());
  assert.equal(
    lines.map(({ system, verified }: Record<string, unknown>) => [system, verified]),
    Object.entries(verified),
  );
  for (const line of lines) {
    assert.equal(line.void, []);
    assert.is(line.totalOrder, true);
    for (const name of ['deliveredPerSecond', 'p50Ms', 'p99Ms', 'p999Ms', 'serverCpuSecondsPerMillion'])
      assert.ok(line[name] > 0, name);
    for (const name of ['lost', 'duplicated', 'misordered', 'skipped', 'altered', 'unverified'])
      assert.is(line[name], 0, name);
  }
  assert.is(readdirSync(out).length, systems.length);
  for (const folder of readdirSync(out)) checkFiles(join(out, folder));
}

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
