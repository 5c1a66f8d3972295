/** The benchmarks run, and their audits hold; how fast is not a test's business. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const run = promisify(execFile);
const bench = (name: string) => fileURLToPath(new URL(`../../bench/${name}.js`, import.meta.url));

async function figuresOf(name: string, ...knobs: string[]) {
  const { stdout } = await run(process.execPath, [bench(name), '--json', ...knobs]);
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

test('idle mailboxes: registered, written to, there again after a stop and a kill', async () => {
  const { rows, starts } = await figuresOf(
    'idle',
    '--mailboxes',
    '2000',
    '--messages',
    '500',
    '--settle',
    '0',
  );
  assert.is(rows.length, 8);
  for (const { ownMiB } of rows) assert.ok(ownMiB > 0);
  assert.ok(starts.stopped.sessionSeconds > 0 && starts.killed.sessionSeconds > 0);
});

// That what waited comes whole and in order the benchmark checks by itself.
test('idle sockets, readers that do not read, and a crowd that comes back', async () => {
  const load = ['--live', '2', '--rate', '50', '--seconds', '0.3', '--turns', '1'];
  const figures = await figuresOf('sockets', '--sockets', '100', '--slow', '4', '--megabytes', '4', ...load);
  assert.is(figures['all connect at once'].sockets, 100);
  assert.is(figures['readers that did not read'].readers, 4);
  assert.ok(figures['readers that did not read'].messagesAfterwards > 0);
  assert.is(figures['all come back at once'].sockets, 100);
  assert.ok(figures['after the restart'].messages > 0);
});

test('the stages alone, and the disk alone', async () => {
  const row = await figuresOf('pipeline', '--messages', '100', '--recipients', '1');
  assert.is(row.messages, 100);
  assert.ok(row.hashes.handler === 2 && row.server > 0);
  const { epochs, messagesPerSecond, bytesPerMessage, p50Ms, p99Ms } = await figuresOf(
    'disk',
    '--messages',
    '2000',
  );
  assert.is(epochs, 100);
  assert.ok(p50Ms > 0 && p99Ms >= p50Ms);
  // It cannot be faster than its median epoch, and stores more than the bodies.
  assert.ok(messagesPerSecond < (2000 / p50Ms) * 2000);
  assert.ok(bytesPerMessage > 128);
});

test.run();
