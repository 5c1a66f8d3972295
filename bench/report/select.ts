/** What of many runs goes into which plot. */
import * as hdr from 'hdr-histogram-js';
import { type Cell, countedOf } from '../cells.js';
import type { RunResult } from '../result.js';
import { configKey, differingKnobs, groupBy, knobsOf, knobText } from '../runs.js';
import { median, spreadOf } from '../statistics.js';

/** One point of a line: x, and of what the runs there gave the median and the range. */
export interface Point {
  readonly system: string;
  /** What else sets this line apart; '' where nothing does. */
  readonly setting: string;
  readonly x: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Axis {
  /** These knobs change together along the axis. */
  readonly knobs: readonly string[];
  readonly of: (run: RunResult) => number;
}

/** Lines over a knob: systems and configurations that were measured at two of its values, at least. */
export function linesOver(
  runs: readonly RunResult[],
  axis: Axis,
  value: (run: RunResult) => number,
): Point[] {
  const measured = runs.filter((run) => Number.isFinite(value(run)));
  const lines = [
    ...groupBy(measured, (run) => `${run.system} ${configKey(run, axis.knobs)}`).values(),
  ].filter((line) => new Set(line.map(axis.of)).size > 1);
  const others = differingKnobs(lines.flat()).filter((name) => !axis.knobs.includes(name));
  return lines.flatMap((line) => {
    const { system } = line[0]!;
    const setting = settingOf(line[0]!, others);
    return [...groupBy(line, (run) => String(axis.of(run))).values()].map((group) => ({
      system,
      setting,
      x: axis.of(group[0]!),
      ...spreadOf(group.map(value)),
    }));
  });
}

function settingOf(run: RunResult, names: readonly string[]): string {
  const knobs = knobsOf(run.config);
  return names.map((name) => `${name.split('.').at(-1)} ${knobText(knobs[name])}`).join(', ');
}

/** Of each workload the configuration that most systems were measured under; of equals the one with most runs, or the first. */
export function headlines(cells: readonly Cell[]): Cell[][] {
  return [...groupBy(cells, ({ workload }) => workload).values()].flatMap((all) => {
    const unknown = all.filter((cell) => configOf(cell) === null);
    const groups = [...groupBy(all.filter(configOf), (cell) => configOf(cell)!).values()];
    const [best] = groups.sort((a, b) => b.length - a.length || runsIn(b) - runsIn(a));
    return best ? [[...best, ...unknown]] : [];
  });
}

const runsIn = (cells: readonly Cell[]) => cells.reduce((sum, cell) => sum + countedOf(cell).length, 0);

function configOf(cell: Cell): string | null {
  const [run] = countedOf(cell);
  return run ? configKey(run) : null;
}

/** Milliseconds, of all runs together. */
export function mergedLatencies(runs: readonly RunResult[]): {
  count: number;
  at: (percentile: number) => number;
} {
  const [first, ...others] = runs.map((run) => hdr.decodeFromCompressedBase64(run.histograms.delivered));
  for (const other of others) first!.add(other);
  return { count: first!.totalCount, at: (percentile) => first!.getValueAtPercentile(percentile) / 1000 };
}

export interface Stage {
  readonly stage: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** As an epoch goes through them; others come behind. */
const ORDER = ['fill', 'take', 'close', 'route', 'merge', 'link', 'commit', 'fsync', 'ready', 'deliver'];
const rankOf = (stage: string) => (ORDER.includes(stage) ? ORDER.indexOf(stage) : ORDER.length);

/** Of all epochs of all runs: the median, and from where to where nine in ten lie. */
export function stagesOf(runs: readonly RunResult[]): Stage[] {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.stages ?? {})))];
  names.sort((a, b) => rankOf(a) - rankOf(b));
  return names.flatMap((stage) => {
    const times = runs.flatMap((run) => run.stages?.[stage] ?? []).sort((a, b) => a - b);
    if (times.length === 0) return [];
    const at = (share: number) => times[Math.floor(share * (times.length - 1))]!;
    return [{ stage, median: median(times), low: at(0.05), high: at(0.95) }];
  });
}
