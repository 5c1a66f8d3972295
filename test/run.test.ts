/** The runner must see every way in which a test file can fail, above all the silent ones. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PASSING, run, UVU } from './support/run.js';

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

runner('counts skipped tests and picks files by a part of their path', () => {
  const text = `${UVU}test('a', () => {});\ntest.skip('b', () => {});\ntest.run();`;
  assert.is(
    run({ 'a.test.js': text, 'b.test.js': 'throw 1' }, '', 'a.t').last,
    '1 passed, 0 failed, 1 skipped',
  );
});

runner('removes what a file leaves in the temporary directory, and keeps it where a test failed', () => {
  const leaves = (result: string) =>
    `${UVU}import { tmpdir } from 'node:os';\nimport { writeFileSync } from 'node:fs';\n` +
    `console.log(\`at \${tmpdir()} \${writeFileSync(\`\${tmpdir()}/left\`, 'x')}\`);\n` +
    `test('a', () => { if (${result}) throw new Error('no'); });\ntest.run();`;
  const { stdout } = run({ 'a.test.js': leaves('true') });
  const [, kept] = /What it left: (.*)$/m.exec(stdout)!;
  assert.is(readFileSync(join(kept!, 'left'), 'utf8'), 'x');
  rmSync(kept!, { recursive: true });
  const said = run({ 'a.test.js': leaves('false').replace('`at', '`N/A: at') }).stdout;
  const [, removed] = /N\/A: at (.*) undefined$/m.exec(said)!;
  assert.not.ok(existsSync(removed!));
  assert.is.not(removed, kept);
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
