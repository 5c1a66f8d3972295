/** Runs of A against runs of B. Pure; refuses whatever cannot be compared, because a wrong answer is worse than none. */
import type { RunResult } from './result.js';
import { configKey, differingKnobs, groupBy, isRun, type Outcome } from './runs.js';
import { type Effect, effectOf, median, type Verdict, verdictOf } from './statistics.js';

/** About what was asked, as every TypeError in the bench. */
export class NotComparable extends TypeError {}

interface Metric {
  readonly says: string;
  readonly of: (run: RunResult) => number;
  /** More is better: then the cost is 1 ÷ the number. */
  readonly moreIsBetter?: true;
}

export const METRICS: Readonly<Record<string, Metric>> = {
  throughput: { says: 'deliveries per second', of: (run) => run.deliveredPerSecond, moreIsBetter: true },
  cpu: { says: 'server CPU, s per million messages', of: (run) => run.serverCpuSecondsPerMillion },
  p50: { says: 'latency p50, ms', of: (run) => run.p50Ms },
  p99: { says: 'latency p99, ms', of: (run) => run.p99Ms },
};

export interface Options {
  readonly metrics: readonly string[];
  /** 0.05: 5 %. */
  readonly threshold: number;
  readonly seed: number;
}

export interface Line {
  readonly metric: string;
  readonly a: number;
  readonly b: number;
  readonly effect: Effect;
  readonly verdict: Verdict;
}

export interface Comparison {
  readonly system: string;
  readonly workload: string;
  readonly lines: readonly Line[];
  readonly warnings: readonly string[];
}

/** One for each system and configuration. Throws `NotComparable`. */
export function compareRuns(a: readonly Outcome[], b: readonly Outcome[], options: Options): Comparison[] {
  const [ours, theirs] = [groupsOf('A', a), groupsOf('B', b)];
  refuseStrangers(ours, theirs);
  return [...ours].map(([key, runs]) => compareGroup(runs, theirs.get(key)!, options));
}

function groupsOf(side: string, outcomes: readonly Outcome[]): Map<string, RunResult[]> {
  const runs = outcomes.map((outcome) => {
    const { system, workload } = outcome;
    if (!isRun(outcome))
      throw new NotComparable(`${side}: ${system}, ${workload}: n/a: ${outcome.notAvailable}`);
    if (outcome.void.length > 0)
      throw new NotComparable(`${side}: ${system}, ${workload}: a void run: ${outcome.void.join('; ')}`);
    return outcome;
  });
  return groupBy(runs, (run) => JSON.stringify([run.system, run.workload, configKey(run)]));
}

function refuseStrangers(ours: Map<string, RunResult[]>, theirs: Map<string, RunResult[]>): void {
  for (const [side, other, groups, others] of [
    ['A', 'B', ours, theirs],
    ['B', 'A', theirs, ours],
  ] as const) {
    for (const [key, runs] of groups)
      if (!others.has(key))
        throw new NotComparable(strangerText(side, other, runs[0]!, [...others.values()]));
  }
}

function strangerText(side: string, other: string, run: RunResult, others: readonly RunResult[][]): string {
  const alike = others.find(([one]) => one!.system === run.system && one!.workload === run.workload)?.[0];
  const why = alike
    ? `in ${other} it ran with other ${differingKnobs([run, alike]).join(', ')}`
    : `${other} has no such run`;
  return `${side} has ${run.system}, ${run.workload}: ${why}`;
}

/** What must be the same on both sides, and what may be what is compared. */
const MACHINE = ['cpu', 'cores', 'memoryMiB'] as const;
const SURROUNDINGS = ['kernel', 'node', 'disk', 'lockfile', 'systemVersion'] as const;

function compareGroup(a: readonly RunResult[], b: readonly RunResult[], options: Options): Comparison {
  const all = [...a, ...b];
  const { system, workload, promises } = all[0]!;
  for (const run of all) {
    const other = MACHINE.find((name) => run.environment[name] !== all[0]!.environment[name]);
    if (other) throw new NotComparable(`${system}, ${workload}: not on one machine: ${other} differs`);
    if (JSON.stringify(run.promises) !== JSON.stringify(promises))
      throw new NotComparable(`${system}, ${workload}: other promises: what is durable or verified differs`);
  }
  return {
    system,
    workload,
    lines: options.metrics.map((metric) => lineOf(metric, a, b, options)),
    warnings: warningsOf(a, b),
  };
}

function lineOf(
  metric: string,
  a: readonly RunResult[],
  b: readonly RunResult[],
  { threshold, seed }: Options,
): Line {
  const { of, moreIsBetter } = METRICS[metric]!;
  const costs = (runs: readonly RunResult[]) => runs.map((run) => (moreIsBetter ? 1 / of(run) : of(run)));
  if (![...a, ...b].every((run) => of(run) > 0 && of(run) < Number.POSITIVE_INFINITY))
    throw new NotComparable(`${a[0]!.system}, ${a[0]!.workload}: ${metric}: some run has no such figure`);
  const effect = effectOf(costs(a), costs(b), seed);
  return {
    metric,
    a: median(a.map(of)),
    b: median(b.map(of)),
    effect,
    verdict: verdictOf(effect, threshold),
  };
}

function warningsOf(a: readonly RunResult[], b: readonly RunResult[]): string[] {
  const warnings: string[] = [];
  if (a.length !== b.length)
    warnings.push(`A has ${a.length} runs and B ${b.length}: those without a partner are left out`);
  if (!inTurns(a, b))
    warnings.push(
      'the runs did not take turns (A B A B …): a slow spell of the machine looks like a difference',
    );
  for (const name of SURROUNDINGS)
    if (new Set([...a, ...b].map((run) => run.environment[name])).size > 1) warnings.push(`${name} differs`);
  return warnings;
}

/** No pair begins before the pair before it has begun. */
function inTurns(a: readonly RunResult[], b: readonly RunResult[]): boolean {
  const starts = a.slice(0, b.length).map((run, i) => [run.startedAt, b[i]!.startedAt].sort());
  return starts.every(([first], i) => i === 0 || starts[i - 1]![1]! <= first!);
}
