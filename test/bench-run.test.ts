/** The bench as a program: what is said when something is asked wrongly, and what it leaves behind. Real runs: test/long/bench-run.test.ts. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { main as findMaxMain } from '../bench/find-max.js';
import { main as runMain } from '../bench/run.js';
import { directory } from './client-helpers.js';
import { PROGRAM } from './support/bench.js';

const run = promisify(execFile);

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
  const ended = await run(process.execPath, [PROGRAM, 'walk']).catch((error) => error);
  assert.equal([ended.code, /no command walk/.test(ended.stderr)], [2, true]);
});

test('interrupted, it stops what it started and leaves nothing behind', async () => {
  const place = directory('bench-interrupted');
  const args = ['run', 'throughput', '--seconds', '60', '--out', join(place, 'results')];
  const temporary = join(place, 'tmp');
  mkdirSync(temporary);
  const child = spawn(process.execPath, [PROGRAM, ...args], {
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

test.run();
