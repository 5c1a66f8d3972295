/** The benchmarks run, and their audits hold; how fast is not a test's business. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const run = promisify(execFile);
const bench = (name: string) => fileURLToPath(new URL(`../bench/${name}.js`, import.meta.url));

test('throughput: everything sent is receipted and delivered once, in one order', async () => {
  const knobs = [
    '--seconds',
    '1',
    '--warmup',
    '1',
    '--senders',
    '4',
    '--window',
    '32',
    '--mailboxes',
    '40',
    '--sockets',
    '4',
  ];
  const { stdout } = await run(process.execPath, [
    bench('throughput'),
    '--json',
    '--recipients',
    '2',
    ...knobs,
  ]);
  const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number | boolean>;
  assert.ok(Number(result['acknowledgedPerSecond']) > 0);
  assert.is(result['sent'], result['receipted']);
  assert.is(Number(result['delivered']), 2 * Number(result['sent']));
  for (const name of ['lost', 'duplicated', 'misordered', 'otherPlace', 'unverified'])
    assert.is(result[name], 0, name);
  assert.is(result['totalOrder'], true);
});

test.run();
