/** Runs for people: a row per system, with the median and what it lies between. */
import { lineOf, type NotAvailable, type RunResult } from './result.js';

type Line = Record<string, unknown>;

const COLUMNS: Readonly<Record<string, string>> = {
  'acknowledged/s': 'acknowledgedPerSecond',
  'delivered/s': 'deliveredPerSecond',
  'p50 ms': 'p50Ms',
  'p99 ms': 'p99Ms',
  'p99.9 ms': 'p999Ms',
  'server CPU s/million': 'serverCpuSecondsPerMillion',
  'clients CPU s/million': 'clientCpuSecondsPerMillion',
  'server peak MiB': 'serverPeakMiB',
};

/** Runs that are void count for no median, and are named below. */
export function table(results: readonly (RunResult | NotAvailable)[]): string {
  const names = [...new Set(results.map(({ system }) => system))];
  const rows = [['system', 'runs', ...Object.keys(COLUMNS)], ...names.map((name) => rowOf(name, results))];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
  return `${[...lines, ...results.flatMap(remark)].map((line) => line.trimEnd()).join('\n')}\n`;
}

function rowOf(name: string, results: readonly (RunResult | NotAvailable)[]): string[] {
  const own = results.filter(({ system }) => system === name);
  const good = own.filter((each): each is RunResult => 'void' in each && each.void.length === 0).map(lineOf);
  const cells = Object.values(COLUMNS).map((key) => (good.length === 0 ? 'n/a' : spread(good, key)));
  return [name, `${good.length} of ${own.length}`, ...cells];
}

function spread(lines: readonly Line[], key: string): string {
  const values = lines.map((line) => Number(line[key])).sort((a, b) => a - b);
  const middle = (values[(values.length - 1) >> 1]! + values[values.length >> 1]!) / 2;
  if (values.length === 1) return round(middle);
  return `${round(middle)} (${round(values[0]!)} to ${round(values.at(-1)!)})`;
}

function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

function remark(result: RunResult | NotAvailable): string[] {
  if ('notAvailable' in result) return [`${result.system}: n/a: ${result.notAvailable}`];
  return result.void.map((why) => `${result.system} ${result.repetition}: VOID: ${why}`);
}
