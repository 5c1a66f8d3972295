/** A run's folder: run.json, which is the whole result, and its seconds as CSV. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Interval, NotAvailable, RunResult } from './result.js';

/** `out`/TIME-SYSTEM-REPETITION, or `out`/na-WORKLOAD-SYSTEM of what is not available; returns its path. */
export function saveRun(out: string, result: RunResult | NotAvailable): string {
  if ('notAvailable' in result) return save(join(out, `na-${result.workload}-${result.system}`), result);
  const time = result.startedAt.replaceAll(/[:.]/g, '-');
  const folder = save(join(out, `${time}-${result.system}-${result.repetition}`), result);
  writeFileSync(join(folder, 'intervals.csv'), csvOf(result.intervals));
  return folder;
}

function save(folder: string, result: RunResult | NotAvailable): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run.json'), `${JSON.stringify(result)}\n`);
  return folder;
}

function csvOf(intervals: readonly Interval[]): string {
  const names = Object.keys(intervals[0]!) as (keyof Interval)[];
  const rows = intervals.map((interval) => names.map((name) => interval[name]).join());
  return `${[names.join(), ...rows].join('\n')}\n`;
}
