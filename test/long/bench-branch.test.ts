/** `bench branch` in a small repository whose bench is a script: what it builds, runs and says, and what it leaves behind. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from '../client-helpers.js';
import { bench } from '../support/bench.js';
import { madeRun } from '../support/runs.js';

/** Leaves a run behind as slow as the file slowness says, and notes in a log who ran. */
const SCRIPT = `
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
const [command, file, ...rest] = process.argv.slice(2);
const out = rest[rest.indexOf('--out') + 1];
const run = JSON.parse(readFileSync('template.json', 'utf8'));
const slowness = Number(readFileSync('slowness', 'utf8')) * (1 + Math.random() / 1000);
run.config = JSON.parse(readFileSync(file, 'utf8'));
run.startedAt = new Date().toISOString();
run.deliveredPerSecond /= slowness;
run.serverCpuSecondsPerMillion *= slowness;
const folder = join(out, run.startedAt.replaceAll(':', '-'));
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'run.json'), JSON.stringify(run));
appendFileSync(process.env.BENCH_LOG, command + ' ' + readFileSync('slowness', 'utf8') + '\\n');
if (slowness > 50) process.exit(1);
`;
const COPY = 'mkdir -p dist/bench && cp bench.mjs dist/bench/main.js';

function repository() {
  const root = directory('bench-branch');
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
      cwd: root,
      encoding: 'utf8',
    });
  const commit = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
    git('add', '-A');
    git('commit', '-q', '-m', 'change');
  };
  git('init', '-q', '-b', 'main');
  commit({ '.gitignore': 'node_modules\ndist\n', 'package-lock.json': '{}', 'package.json': '{}' });
  mkdirSync(join(root, 'node_modules'));
  return { root, git, commit };
}

/** The first commit has no bench, the second one is as slow as `slow` says, the working tree is 1. */
function withBench(slow: string) {
  const made = repository();
  const scripts = JSON.stringify({ type: 'module', scripts: { build: COPY } });
  const template = JSON.stringify(madeRun());
  made.commit({ 'package.json': scripts, 'bench.mjs': SCRIPT, 'template.json': template, slowness: slow });
  writeFileSync(join(made.root, 'slowness'), '1');
  execFileSync('sh', ['-c', COPY], { cwd: made.root });
  return made;
}

async function branch(root: string, ...args: string[]) {
  process.env['BENCH_LOG'] = join(root, 'dist', 'log');
  const ended = await bench(['branch', '--metric', 'throughput,cpu', ...args], root);
  // Nothing stays, whatever happened.
  assert.is(
    execFileSync('git', ['worktree', 'list'], { cwd: root, encoding: 'utf8' }).trim().split('\n').length,
    1,
  );
  return ended;
}

test('base and working tree take turns; equal ones are not slower', async () => {
  const { root } = withBench('1.0');
  const { status, stdout } = await branch(root, '--base', 'HEAD');
  assert.is(status, 0, stdout);
  assert.match(stdout, /^countersign, throughput: 5 pairs of runs$/m);
  assert.not.match(stdout, /WARNING/);
  const log = readFileSync(join(root, 'dist', 'log'), 'utf8');
  assert.is(log, 'run 1.0\nrun 1\n'.repeat(5));
});

test('a working tree that is slower than the base is exit code 1', async () => {
  const { root } = withBench('0.5');
  const { status, stdout } = await branch(root, '--base', 'main', '--threshold', '25%');
  assert.is(status, 1, stdout);
  assert.match(stdout, /^deliveries per second .* SLOWER by more than 25 %$/m);
});

test('too few pairs cannot tell: exit code 3', async () => {
  const { status, stdout } = await branch(withBench('0.5').root, '--base', 'HEAD', '--pairs', '2');
  assert.is(status, 3, stdout);
});

test('what cannot be compared is said: exit code 2', async () => {
  const plain = withBench('1').root;
  const { root } = withBench('99');
  for (const [where, base, reason] of [
    [plain, 'HEAD~1', /the base's npm run -s build: exit code 1/],
    [plain, 'HEAD~5', /git rev-parse --verify HEAD~5\^\{commit\}: fatal/],
    [root, 'HEAD', /A, [0-9a-f]{10}: a run that is void or failed/],
  ] as const) {
    const { status, stderr } = await branch(where, '--base', base);
    assert.is(status, 2, stderr);
    assert.match(stderr, reason);
  }
});

test('what goes wrong on the way is not taken for slower: exit code 2', async () => {
  const { root, git } = withBench('1');
  git('rm', '-q', 'package-lock.json');
  git('commit', '-q', '-m', 'no lockfile');
  const { status, stderr } = await branch(root, '--base', 'HEAD');
  assert.is(status, 2, stderr);
  assert.match(stderr, /ENOENT.*package-lock\.json/);
});

test('a base whose build makes no bench is refused', async () => {
  const { root, commit } = repository();
  commit({ 'package.json': JSON.stringify({ scripts: { build: 'true' } }) });
  const { status, stderr } = await branch(root, '--base', 'HEAD');
  assert.is(status, 2, stderr);
  assert.match(stderr, /[0-9a-f]{10} has no bench run/);
});

test.run();
