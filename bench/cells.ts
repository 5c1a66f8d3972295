/**
 * Runs of one system under one configuration, and what is said of them together: median and whole range, of the runs that
 * count. What does not count is named, never averaged in.
 */
import { lineOf, type RunResult } from './result.js';
import {
  configKey,
  counts,
  differingKnobs,
  groupBy,
  isRun,
  knobsOf,
  knobText,
  type Outcome,
} from './runs.js';
import { finite, spreadOf } from './statistics.js';
import { spreadText, tableOf } from './text.js';

export interface Cell {
  readonly system: string;
  readonly workload: string;
  /** What sets this cell apart from the others: '' where a knob is unknown, as it is of what is not available. */
  readonly knobs: Readonly<Record<string, string>>;
  readonly outcomes: readonly Outcome[];
}

export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly of: (run: RunResult) => number;
}

export const FIGURES: readonly Figure[] = [
  { name: 'deliveredPerSecond', title: 'deliveries/s', of: (run) => run.deliveredPerSecond },
  { name: 'acknowledgedPerSecond', title: 'acknowledged/s', of: (run) => run.acknowledgedPerSecond },
  { name: 'p50Ms', title: 'p50 ms', of: (run) => run.p50Ms },
  { name: 'p99Ms', title: 'p99 ms', of: (run) => run.p99Ms },
  { name: 'p999Ms', title: 'p99.9 ms', of: (run) => run.p999Ms },
  {
    name: 'serverCpuSecondsPerMillion',
    title: 'server CPU s/million',
    of: (run) => run.serverCpuSecondsPerMillion,
  },
  {
    name: 'clientCpuSecondsPerMillion',
    title: 'clients CPU s/million',
    of: (run) => Number(lineOf(run)['clientCpuSecondsPerMillion']),
  },
  { name: 'serverPeakMiB', title: 'server peak MiB', of: (run) => run.server.peakMiB },
];

/** Cells of runs from anywhere, each with the knobs in which they differ. */
export function cellsOf(outcomes: readonly Outcome[]): Cell[] {
  const names = differingKnobs(outcomes.filter(isRun));
  const groups = groupBy(outcomes, (outcome) =>
    JSON.stringify([outcome.workload, isRun(outcome) ? configKey(outcome) : '', outcome.system]),
  );
  return [...groups.values()].map((group) => {
    const run = group.find(isRun);
    const knobs = run ? knobsOf(run.config) : {};
    const { system, workload } = group[0]!;
    const texts = names.map((name) => [name, knobText(knobs[name])]);
    return { system, workload, knobs: Object.fromEntries(texts), outcomes: group };
  });
}

export const countedOf = (cell: Cell): RunResult[] => cell.outcomes.filter(counts);

/** Why numbers are missing, in capitals; '' where every run counts. */
export function warningOf(cell: Cell): string {
  const missing = cell.outcomes.find((outcome) => !isRun(outcome));
  if (missing && !isRun(missing)) return `N/A: ${missing.notAvailable}`;
  const runs = cell.outcomes.filter(isRun);
  const voided = runs.filter((run) => run.void.length > 0);
  if (voided.length === 0) return '';
  return `VOID: ${voided.length} of ${runs.length}: ${[...new Set(voided.flatMap((run) => run.void))].join('; ')}`;
}

/** A row per cell; what does not count is named below, where no table's width hides it. */
export function textOf(cells: readonly Cell[]): string {
  const knobs = Object.keys(cells[0]?.knobs ?? {});
  const header = ['system', 'workload', ...knobs, 'runs', ...FIGURES.map(({ title }) => title)];
  const rows = cells.map((cell) => {
    const runs = countedOf(cell);
    const figures = FIGURES.map(({ of }) => spreadText(runs.map(of)));
    return [...namesOf(cell, knobs), `${runs.length} of ${cell.outcomes.length}`, ...figures];
  });
  const warnings = cells
    .filter(warningOf)
    .map((cell) => `${namesOf(cell, knobs).join(' ')}: ${warningOf(cell)}\n`);
  return `${tableOf([header, ...rows])}\n${warnings.join('')}`;
}

const namesOf = (cell: Cell, knobs: readonly string[]) => [
  cell.system,
  cell.workload,
  ...knobs.map((name) => cell.knobs[name]!),
];

/** The same for programs: median, least and most apart, empty where there are none. */
export function csvRowsOf(cells: readonly Cell[]): (string | number)[][] {
  const knobs = Object.keys(cells[0]?.knobs ?? {});
  const figures = FIGURES.flatMap(({ name }) => [`${name}Median`, `${name}Min`, `${name}Max`]);
  const rows = cells.map((cell) => {
    const runs = countedOf(cell);
    const spreads = FIGURES.flatMap(({ of }): (string | number)[] => {
      const values = finite(runs.map(of));
      if (values.length === 0) return ['', '', ''];
      const { median, min, max } = spreadOf(values);
      return [median, min, max];
    });
    return [...namesOf(cell, knobs), runs.length, ...spreads, warningOf(cell)];
  });
  return [['system', 'workload', ...knobs, 'runs', ...figures, 'warning'], ...rows];
}
