/** The runner must see every way in which a test file can fail, above all the silent ones. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const RUNNER = fileURLToPath(new URL('./run.js', import.meta.url));
const UVU = `import { test } from '${import.meta.resolve('uvu')}';\n`;
const PASSING = `${UVU}test('a', () => {});\ntest.run();\n`;

/** Writes the given files below a fresh folder and runs the runner on it, or on a folder in it. */
function run(files: Record<string, string>, folder = '', ...args: string[]) {
  const root = mkdtempSync(join(tmpdir(), 'runner-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const { status, stdout } = spawnSync(process.execPath, [RUNNER, join(root, folder), ...args], {
      encoding: 'utf8',
    });
    return { status, stdout, last: stdout.trimEnd().split('\n').at(-1) };
  } finally {
    rmSync(root, { recursive: true });
  }
}

const runner = suite('runner');

runner('adds up the files of a tree and leaves folders named long alone', () => {
  const files = {
    'a.test.mjs': '',
    'a.test.js': PASSING,
    'b/c.test.js': PASSING,
    'long/d.test.js': 'throw 1',
  };
  const { status, last } = run(files);
  assert.is(last, '2 passed, 0 failed');
  assert.is(status, 0);
});

runner('runs a folder named long when it is the root', () => {
  assert.is(run({ 'long/d.test.js': PASSING }, 'long').last, '1 passed, 0 failed');
});

runner('shows the output of a failing file and exits 1', () => {
  const text = `${UVU}test('ok', () => {});\ntest('bad', () => { throw new Error('seen by the reader'); });\ntest.run();`;
  const { status, stdout, last } = run({ 'a.test.js': text });
  assert.is(last, '1 passed, 1 failed');
  assert.is(status, 1);
  assert.match(stdout, 'seen by the reader');
});

runner('counts what is skipped, and says why', () => {
  const text = `${UVU}console.log('SKIPPED: nothing to drive');\ntest('a', () => {});\ntest.skip('b');\ntest.run();`;
  const all = text.replace("test('a',", "test.skip('a',");
  const { status, stdout, last } = run({ 'a.test.js': text, 'b.test.js': all });
  assert.is(last, '1 passed, 0 failed, 3 skipped');
  assert.is(status, 0);
  assert.match(stdout, /^ +SKIPPED: nothing to drive$/m);
});

runner('fails a file that forgets .run(), and one that runs no test', () => {
  const { status, last, stdout } = run({
    'a.test.js': `${UVU}test('a', () => {});`,
    'b.test.js': `${UVU}test.run();`,
  });
  assert.is(last, '0 passed, 2 failed');
  assert.is(status, 1);
  assert.match(stdout, /a\.test\.js .*no uvu summary/);
  assert.match(stdout, /b\.test\.js .*no test ran/);
});

runner('fails a suite whose before hook throws, which uvu itself lets pass', () => {
  const text = `${UVU}test.before(() => { throw new Error('no'); });\ntest('a', () => {});\ntest.run();`;
  assert.is(run({ 'a.test.js': text }).last, '0 passed, 1 failed');
});

runner('fails a file that crashes after its tests have passed', () => {
  const text = `${PASSING}process.on('exit', () => { process.exitCode = 3; });`;
  const { last, stdout } = run({ 'a.test.js': text });
  assert.is(last, '1 passed, 1 failed');
  assert.match(stdout, 'exit code 3');
});

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

runner('counts skipped tests and picks files by a part of their path', () => {
  const text = `${UVU}test('a', () => {});\ntest.skip('b', () => {});\ntest.run();`;
  assert.is(
    run({ 'a.test.js': text, 'b.test.js': 'throw 1' }, '', 'a.t').last,
    '1 passed, 0 failed, 1 skipped',
  );
});

runner('begins what takes longest first, and names no test that is gone', () => {
  const source = readFileSync(new URL('../../test/run.ts', import.meta.url), 'utf8');
  const longest = /const LONGEST = \[\n([^\]]*)\]/.exec(source)![1]!.match(/[\w-]+/g)!;
  for (const name of longest) assert.ok(existsSync(new URL(`./${name}.test.js`, import.meta.url)), name);
  const others = Array.from({ length: 4 * (availableParallelism() + 1) }, (_, i) => `${1000 + i}`);
  const log = join(mkdtempSync(join(tmpdir(), 'runner-order-')), 'log');
  const noting = (name: string) =>
    `import { appendFileSync } from 'node:fs';\nappendFileSync('${log}', '${name}\\n');\n${PASSING}`;
  run(Object.fromEntries([...others, longest[3]!].map((name) => [`${name}.test.js`, noting(name)])));
  const begun = readFileSync(log, 'utf8').trim().split('\n');
  assert.is(begun.length, others.length + 1);
  assert.ok(begun.indexOf(longest[3]!) < others.length / 2, `${begun}`);
});

runner('leaves out what was compiled from a test that is gone', () => {
  const files = { 'test/a.test.ts': '', 'dist/test/a.test.js': PASSING, 'dist/test/b.test.js': PASSING };
  assert.is(run(files, 'dist').last, '1 passed, 0 failed');
});

runner('fails when there is nothing to run', () => {
  const { status, last } = run({ 'a.test.js': PASSING }, '', 'nothing');
  assert.is(last, '0 passed, 0 failed');
  assert.is(status, 1);
});

runner.run();
