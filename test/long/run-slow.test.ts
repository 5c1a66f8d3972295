/** The runner with files that do not end. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PASSING, run, UVU } from '../support/run.js';

const runner = suite('runner');

runner('ends a file that hangs, with what it started, and says so', () => {
  const child = `import { spawn } from 'node:child_process';\nspawn('sleep', ['60'], { stdio: 'inherit' });\n`;
  const { status, last, stdout } = run(
    { 'a.test.js': child + 'await new Promise(setInterval);' },
    '',
    '--timeout',
    '1',
  );
  assert.is(last, '0 passed, 1 failed');
  assert.is(status, 1);
  assert.match(stdout, 'TIMEOUT after 1 s');
});

runner(
  'ends a file that does not end by itself after its last test: a failure, unless a test has failed',
  () => {
    const open = 'setInterval(() => {}, 1000);\n';
    const failing = `${UVU}test('bad', () => { throw new Error('seen'); });\ntest.run();\n`;
    const { last, stdout } = run({ 'a.test.js': open + PASSING, 'b.test.js': open + failing });
    assert.is(last, '1 passed, 2 failed');
    assert.match(stdout, /a\.test\.js {2}1 passed, 1 failed .*still running 5 s after its last test/);
    assert.match(stdout, /b\.test\.js {2}0 passed, 1 failed .* s$/m);
  },
);

runner('begins what takes longest first, and names no test that is gone', () => {
  const source = readFileSync(new URL('../../../test/run.ts', import.meta.url), 'utf8');
  const longest = /const LONGEST = \[\n([^\]]*)\]/.exec(source)![1]!.match(/[\w-]+/g)!;
  for (const name of longest) assert.ok(existsSync(new URL(`../${name}.test.js`, import.meta.url)), name);
  const others = Array.from({ length: 4 * (availableParallelism() + 1) }, (_, i) => `${1000 + i}`);
  const log = join(mkdtempSync(join(tmpdir(), 'runner-order-')), 'log');
  const noting = (name: string) =>
    `import { appendFileSync } from 'node:fs';\nappendFileSync('${log}', '${name}\\n');\n${PASSING}`;
  run(Object.fromEntries([...others, longest[3]!].map((name) => [`${name}.test.js`, noting(name)])));
  const begun = readFileSync(log, 'utf8').trim().split('\n');
  assert.is(begun.length, others.length + 1);
  assert.ok(begun.indexOf(longest[3]!) < others.length / 2, `${begun}`);
});

runner.run();
