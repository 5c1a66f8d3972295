/**
 * Runs every compiled test file below a folder, each in its own process:
 *
 *     node dist/test/run.js <folder> [--timeout seconds] [part of a path …]
 *
 * A file counts by uvu's closing lines, not by its exit code: uvu exits 0 when a file forgets
 * `.run()`, and when a `before` hook throws. Folders named `long` run only when given as the root.
 * What a file leaves in the temporary directory is removed, unless a test of it failed: then it is said where that lies.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';

interface Result {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why the file failed beyond failing tests; empty when there is nothing to add. */
  readonly reason: string;
  readonly output: string;
  readonly seconds: number;
}

// On a busy machine the slowest file takes three times as long as on a quiet one.
const DEFAULT_TIMEOUT_SECONDS = 200;
/**
 * What takes longest on a quiet machine with two cores, the longest first. These begin first: of files that are begun last,
 * a long one would keep everybody waiting.
 */
const LONGEST = [
  'many-vectors',
  'comparing',
  'vectors',
  'rotation-client',
  'simulation',
  'attack',
  'demo',
  'crypto',
  'limits',
  'quota',
  'audit',
  'accountability',
  'kill',
  'check-then-sign',
  'openings-server',
  'edge',
  'cli-client',
  'client-server',
  'openings',
  'client-sessions',
  'start',
  'cli',
  'verdict-differential',
  'frames-differential',
];
// What a file's children may still say after it has exited, before its pipes are closed on them.
const DRAIN_MS = 500;
// A file ends at once when uvu has told its results, unless a test left something open, as one that failed often does.
const LINGER_MS = 5000;
const LINGERED = `still running ${LINGER_MS / 1000} s after its last test`;

const children = new Set<number>();

/** The compiler leaves behind what it once made of a test that has since been removed or renamed. */
function isStale(path: string): boolean {
  const inDist = /(^|\/)dist\//;
  return inDist.test(path) && !existsSync(path.replace(inDist, '$1').replace(/\.js$/, '.ts'));
}

function findTests(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'long') found.push(...findTests(path));
    else if (entry.isFile() && entry.name.endsWith('.test.js') && !isStale(path)) found.push(path);
  }
  return found.sort();
}

/** The longest first, then in the order of their names. */
function inOrder(paths: readonly string[]): string[] {
  const rankOf = (path: string) => {
    const rank = LONGEST.indexOf(basename(path, '.test.js'));
    return rank < 0 ? LONGEST.length : rank;
  };
  return [...paths].sort((a, b) => rankOf(a) - rankOf(b));
}

/** uvu's closing lines, or undefined when it never got there. */
function readSummary(output: string): { total: number; passed: number; skipped: number } | undefined {
  const closing = /^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n {2}Duration:/gm;
  const last = [...output.matchAll(closing)].at(-1);
  return last && { total: Number(last[1]), passed: Number(last[2]), skipped: Number(last[3]) };
}

function judge(output: string, ending: string): Omit<Result, 'output' | 'seconds'> {
  const summary = readSummary(output);
  const { total, passed, skipped } = summary ?? { total: 0, passed: 0, skipped: 0 };
  let reason = ending;
  if (!reason && !summary) reason = 'no uvu summary: did the file call .run()?';
  else if (!reason && total === 0 && skipped === 0) reason = 'no test ran';
  // A failed test makes uvu exit 1 by itself, and closes nothing: that is no second failure.
  if ((ending === 'exit code 1' || ending === LINGERED) && total > passed) reason = '';
  return { passed, skipped, reason, failed: total - passed + (reason ? 1 : 0) };
}

/** Ends a file's whole process group, so that servers it started do not outlive it. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}

function runFile(path: string, timeoutSeconds: number): Promise<Result> {
  const start = process.hrtime.bigint();
  const temporary = mkdtempSync(join(tmpdir(), `countersign-${basename(path, '.test.js')}-`));
  const env = { ...process.env, FORCE_COLOR: '0', TMPDIR: temporary };
  const child = spawn(process.execPath, [path], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const pid = child.pid ?? 0;
  children.add(pid);
  let output = '';
  let ending = '';
  const endAfter = (ms: number, why: string) =>
    setTimeout(() => {
      ending = why;
      endGroup(pid);
    }, ms);
  let timer = endAfter(timeoutSeconds * 1000, `TIMEOUT after ${timeoutSeconds} s`);
  let isDone = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (isDone || !readSummary(output)) return;
      isDone = true;
      clearTimeout(timer);
      timer = endAfter(LINGER_MS, LINGERED);
    });
  }
  child.on('exit', (code, signal) => {
    clearTimeout(timer);
    if (!ending && code !== 0) ending = signal ? `killed by ${signal}` : `exit code ${code}`;
    endGroup(pid);
    setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, DRAIN_MS).unref();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      children.delete(pid);
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      output = stripVTControlCharacters(output);
      const judged = judge(output, ending);
      if (judged.failed === 0) rmSync(temporary, { recursive: true, force: true, maxRetries: 10 });
      else output += `\nWhat it left: ${temporary}\n`;
      resolve({ ...judged, output, seconds });
    });
  });
}

function describe(name: string, result: Result): string {
  const mark = result.failed > 0 ? 'FAIL' : 'ok  ';
  const counts = [`${result.passed} passed`];
  if (result.failed > 0) counts.push(`${result.failed} failed`);
  if (result.skipped > 0) counts.push(`${result.skipped} skipped`);
  const line = `${mark} ${name}  ${counts.join(', ')}  ${result.seconds.toFixed(1)} s`;
  return result.reason ? `${line}  (${result.reason})` : line;
}

async function runAll(root: string, paths: string[], timeoutSeconds: number): Promise<Result[]> {
  const results: Result[] = [];
  const queue = inOrder(paths);
  const worker = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const result = await runFile(path, timeoutSeconds);
      results.push(result);
      console.log(describe(relative(root, path), result));
      // Why tests were skipped, and what does not exist here, for everybody to see.
      for (const line of result.output.match(/^(?:SKIPPED|N\/A): .*/gm) ?? []) console.log(`     ${line}`);
      if (result.failed > 0) console.log(`${result.output.trimEnd().replace(/^/gm, '  | ')}\n`);
    }
  };
  // Tests wait a good part of their time: one more at once than there are cores.
  await Promise.all(Array.from({ length: Math.min(availableParallelism() + 1, paths.length) }, worker));
  return results;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const pid of children) endGroup(pid);
    process.exit(1);
  });
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { timeout: { type: 'string', default: String(DEFAULT_TIMEOUT_SECONDS) } },
});
const [root = 'dist/test', ...filters] = positionals;
const wanted = findTests(root).filter(
  (path) => filters.length === 0 || filters.some((part) => relative(root, path).includes(part)),
);
if (wanted.length === 0) console.log(`no test file below ${root} matches`);
const results = await runAll(root, wanted, Number(values.timeout));
const sum = (field: 'passed' | 'failed' | 'skipped') => results.reduce((n, result) => n + result[field], 0);
const skipped = sum('skipped');
process.exitCode = sum('failed') > 0 || wanted.length === 0 ? 1 : 0;
console.log(`${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
