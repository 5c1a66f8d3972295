/** `bench branch`: is the working tree slower than a commit? Both are run in turns (A B A B …), each with its own bench. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Cleanup } from './cleanup.js';
import { COMPARE_HELP, COMPARE_OPTIONS, compareOptions, reportComparison } from './compare.js';
import { NotComparable, type Options } from './comparison.js';
import { interruptible, positive } from './run.js';
import { MIN_PAIRS } from './statistics.js';
import { loadWorkload, type Workload } from './workload.js';
import { settingsFrom, WORKLOAD_OPTIONS } from './workload-options.js';

const HELP = `bench branch --base COMMIT [WORKLOAD] [options]

  --base COMMIT           A; B is the working tree, as it was built last
  WORKLOAD                as of bench run; default throughput
  --pairs N               runs of each; default ${MIN_PAIRS}, and fewer cannot tell
  --minutes N             no further pair begins after so long; default 10
  --seconds N             of the measured window; as --set seconds=N
  --warmup N              before it; as --set warmupSeconds=N
  --set PATH.TO.KNOB=V    changes a knob of the workload; may be given several times
${COMPARE_HELP}`;

export async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...COMPARE_OPTIONS,
      base: { type: 'string' },
      pairs: { type: 'string', default: String(MIN_PAIRS) },
      minutes: { type: 'string', default: '10' },
      seconds: WORKLOAD_OPTIONS.seconds,
      warmup: WORKLOAD_OPTIONS.warmup,
      set: WORKLOAD_OPTIONS.set,
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  if (values.base === undefined || positionals.length > 1)
    throw new TypeError('expected --base COMMIT [WORKLOAD]');
  await compareWithBase({
    commit: git('rev-parse', '--verify', `${values.base}^{commit}`),
    workload: loadWorkload(positionals[0] ?? 'throughput', settingsFrom(values)),
    pairs: positive('--pairs', values.pairs),
    minutes: positive('--minutes', values.minutes),
    options: compareOptions(values),
    json: values.json,
  });
}

interface Asked {
  readonly commit: string;
  readonly workload: Workload;
  readonly pairs: number;
  readonly minutes: number;
  readonly options: Options;
  readonly json: boolean;
}

async function compareWithBase({ commit, workload, pairs, minutes, options, json }: Asked): Promise<void> {
  await interruptible(async (cleanup) => {
    try {
      const folder = mkdtempSync(join(tmpdir(), 'countersign-branch-'));
      cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
      // The same for both, whatever either's own workloads say.
      const file = join(folder, 'workload.json');
      writeFileSync(file, JSON.stringify(workload));
      const base = await builtBase(commit, join(folder, 'base'), cleanup);
      const a = { tree: base, name: `A, ${commit.slice(0, 10)}`, out: join(folder, 'a') };
      const b = { tree: root(), name: 'B, the working tree', out: join(folder, 'b') };
      await runPairs([a, b], { workload: file, pairs, minutes, cleanup });
      process.exitCode = reportComparison(a.out, b.out, options, json);
    } catch (error) {
      // Whatever went wrong, nobody may take it for exit code 1: slower.
      throw error instanceof TypeError ? error : new NotComparable(String(error));
    } finally {
      await cleanup.run();
    }
  });
}

// ---- the two trees

/** What it prints. */
function git(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('git', args, { encoding: 'utf8' });
  if (status !== 0) throw new NotComparable(`git ${args.join(' ')}: ${stderr?.trim()}`);
  return stdout.trim();
}

const root = () => git('rev-parse', '--show-toplevel');

/** Checked out into a worktree of its own and built there, with our packages if it wants the same. */
async function builtBase(commit: string, tree: string, cleanup: Cleanup): Promise<string> {
  cleanup.add(() => git('worktree', 'prune'));
  cleanup.add(() => rmSync(tree, { recursive: true, force: true }));
  git('worktree', 'add', '--detach', tree, commit);
  const lockfile = (folder: string) => readFileSync(join(folder, 'package-lock.json'), 'utf8');
  process.stderr.write(`builds ${commit.slice(0, 10)}\n`);
  if (lockfile(tree) === lockfile(root()))
    symlinkSync(join(root(), 'node_modules'), join(tree, 'node_modules'));
  else await npm(['ci', '--no-audit', '--no-fund'], tree, cleanup);
  await npm(['run', '-s', 'build'], tree, cleanup);
  if (!existsSync(program(tree))) throw new NotComparable(`${commit.slice(0, 10)} has no bench run`);
  return tree;
}

async function npm(args: readonly string[], cwd: string, cleanup: Cleanup): Promise<void> {
  const status = await run({ command: 'npm', args, cwd, cleanup });
  if (status !== 0) throw new NotComparable(`the base's npm ${args.join(' ')}: exit code ${status}`);
}

const program = (tree: string) => join(tree, 'dist', 'bench', 'main.js');

interface Step {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly cleanup: Cleanup;
}

/** Its exit code; what it prints goes to stderr, where it disturbs no result. It ends before what it works on is removed. */
async function run({ command, args, cwd, cleanup }: Step): Promise<number | null> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 2, 2] });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  cleanup.add(() => {
    child.kill('SIGINT');
    return closed;
  });
  // What cannot be started is closed, too, with a code below 0.
  child.once('error', ({ message }) => process.stderr.write(`${message}\n`));
  return await closed;
}

// ---- runs

interface Side {
  readonly tree: string;
  readonly name: string;
  readonly out: string;
}

interface Pairs {
  readonly workload: string;
  readonly pairs: number;
  readonly minutes: number;
  readonly cleanup: Cleanup;
}

async function runPairs(sides: readonly Side[], { workload, pairs, minutes, cleanup }: Pairs): Promise<void> {
  const start = performance.now();
  for (let pair = 1; pair <= pairs; pair++) {
    if (performance.now() - start > minutes * 60_000) {
      process.stderr.write(`${minutes} minutes are over after ${pair - 1} of ${pairs} pairs\n`);
      return;
    }
    for (const { tree, name, out } of sides) {
      process.stderr.write(`pair ${pair} of ${pairs}: ${name}\n`);
      const args = [program(tree), 'run', workload, '--system', 'countersign', '--out', out];
      if ((await run({ command: process.execPath, args, cwd: tree, cleanup })) !== 0)
        throw new NotComparable(`${name}: a run that is void or failed`);
    }
  }
}
