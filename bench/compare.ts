/**
 * npm run -s bench -- compare A B [--threshold 5%] [--metric throughput,cpu,p50,p99] [--seed 1] [--json]
 *
 * A and B are folders of run.json files. Exit code 0: B is not slower than A by more than the threshold; 1: it is; 2: these
 * runs cannot be compared; 3: these runs cannot tell. The method is told in bench/statistics.ts.
 */
import { parseArgs } from 'node:util';
import {
  type Comparison,
  compareRuns,
  type Line,
  METRICS,
  NotComparable,
  type Options,
} from './comparison.js';
import { readRuns } from './runs.js';
import { MIN_PAIRS } from './statistics.js';
import { number, tableOf } from './text.js';

export const COMPARE_OPTIONS = {
  threshold: { type: 'string', default: '5%' },
  metric: { type: 'string', default: Object.keys(METRICS).join(',') },
  seed: { type: 'string', default: '1' },
  json: { type: 'boolean', default: false },
} as const;

interface Given {
  readonly threshold: string;
  readonly metric: string;
  readonly seed: string;
}

/** Throws `TypeError` on what it does not know. */
export function compareOptions({ threshold, metric, seed }: Given): Options {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(threshold)?.[1];
  if (percent === undefined) throw new TypeError(`--threshold ${threshold}: expected a percentage, as in 5%`);
  const metrics = metric.split(',');
  const unknown = metrics.find((name) => !Object.hasOwn(METRICS, name));
  if (unknown !== undefined)
    throw new TypeError(`--metric ${unknown}: expected some of ${Object.keys(METRICS).join(',')}`);
  if (!/^\d{1,9}$/.test(seed)) throw new TypeError(`--seed ${seed}: expected a whole number`);
  return { threshold: Number(percent) / 100, metrics, seed: Number(seed) };
}

export async function main(args: string[]): Promise<void> {
  process.exitCode = await refusing(() => {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: COMPARE_OPTIONS });
    const [a, b, ...rest] = positionals;
    if (a === undefined || b === undefined || rest.length > 0)
      throw new TypeError('expected: compare A B, two folders of run.json files');
    return reportComparison(a, b, compareOptions(values), values.json);
  });
}

/** The exit code of `compare`, or 2 when it refuses: 1 is for what was measured alone. */
export async function refusing(compare: () => number | Promise<number>): Promise<number> {
  try {
    return await compare();
  } catch (error) {
    if (!(error instanceof NotComparable || error instanceof TypeError)) throw error;
    console.error(`NOT COMPARED: ${error.message}`);
    return 2;
  }
}

/** Prints, and gives the exit code. */
export function reportComparison(a: string, b: string, options: Options, json: boolean): number {
  const comparisons = compareRuns(readRuns([a]), readRuns([b]), options);
  console.log(json ? JSON.stringify(comparisons) : textOf(comparisons, options));
  return exitCodeOf(comparisons);
}

function exitCodeOf(comparisons: readonly Comparison[]): number {
  const verdicts = comparisons.flatMap(({ lines }) => lines.map(({ verdict }) => verdict));
  if (verdicts.includes('slower')) return 1;
  return verdicts.includes('cannot tell') ? 3 : 0;
}

function textOf(comparisons: readonly Comparison[], options: Options): string {
  const method =
    'B ÷ A: the cost of B (1 ÷ rate, CPU, latency) over that of A, geometric mean over pairs of runs; above 1, B is slower.\n' +
    `95 % interval: expanded percentile bootstrap over pairs, seed ${options.seed}; at least ${MIN_PAIRS} pairs.`;
  return [...comparisons.map((one) => comparisonText(one, options)), method].join('\n\n');
}

function comparisonText({ system, workload, lines, warnings }: Comparison, options: Options): string {
  const rows = lines.map((line) => rowOf(line, options));
  const header = ['', 'A (median)', 'B (median)', 'B ÷ A', '95 % interval', ''];
  const title = `${system}, ${workload}: ${lines[0]!.effect.pairs} pairs of runs`;
  return [title, ...warnings.map((text) => `WARNING: ${text}`), tableOf([header, ...rows])].join('\n');
}

function rowOf({ metric, a, b, effect, verdict }: Line, { threshold }: Options): string[] {
  const { ratio, low, high, pairs } = effect;
  const beyond = `by more than ${Number((threshold * 100).toFixed(6))} %`;
  const says = {
    slower: `SLOWER ${beyond}`,
    'not slower': `not slower ${beyond}`,
    'cannot tell':
      pairs < MIN_PAIRS ? `CANNOT TELL: fewer than ${MIN_PAIRS} pairs` : 'CANNOT TELL: too noisy',
  }[verdict];
  const interval = pairs < MIN_PAIRS ? 'none' : `${low.toFixed(3)} … ${high.toFixed(3)}`;
  return [METRICS[metric]!.says, number(a), number(b), ratio.toFixed(3), interval, says];
}
