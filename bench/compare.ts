/** `bench compare`: is B slower than A? The method is told in bench/statistics.ts. */
import { parseArgs } from 'node:util';
import { type Comparison, compareRuns, type Line, METRICS, type Options } from './comparison.js';
import { readRuns } from './runs.js';
import { MIN_PAIRS } from './statistics.js';
import { number, tableOf } from './text.js';

/** Of `bench branch`, too. */
export const COMPARE_HELP = `  --threshold 5%          how much slower is slower
  --metric A,B            some of ${Object.keys(METRICS).join(', ')}; default all
  --seed N                of the bootstrap; default 1
  --json                  one JSON line

Exit code 0: B is not slower than A by more than the threshold; 1: it is, and the 95 % interval leaves no doubt;
2: these runs cannot be compared; 3: these runs cannot tell.
`;

const HELP = `bench compare A B [options]

  A, B                    folders of run.json files of the same workload, made in turns (A B A B …)
${COMPARE_HELP}`;

export const COMPARE_OPTIONS = {
  threshold: { type: 'string', default: '5%' },
  metric: { type: 'string', default: Object.keys(METRICS).join(',') },
  seed: { type: 'string', default: '1' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
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
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: COMPARE_OPTIONS });
  if (values.help) return void process.stdout.write(HELP);
  const [a, b, ...rest] = positionals;
  if (a === undefined || b === undefined || rest.length > 0)
    throw new TypeError('A B: expected two folders of run.json files');
  process.exitCode = reportComparison(a, b, compareOptions(values), values.json);
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
