/** Runs as they were left on disk: found, checked, and grouped by what was the same in them. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FORMAT, type NotAvailable, type RunResult } from './result.js';
import type { Workload } from './workload.js';

export type Outcome = RunResult | NotAvailable;
/** By path: 'server.threads'. */
export type Knobs = Readonly<Record<string, unknown>>;

export const isRun = (outcome: Outcome): outcome is RunResult => !('notAvailable' in outcome);
export const counts = (outcome: Outcome): outcome is RunResult => isRun(outcome) && outcome.void.length === 0;

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) throw new TypeError(`${folder}: no such folder`);
  if (statSync(folder).isFile()) return [folder];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() && entry.name.endsWith('run.json') ? [path] : [];
  });
}

function parsed(path: string): Outcome | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

function read(path: string): Outcome {
  const outcome = parsed(path);
  if (outcome?.format !== FORMAT) throw new TypeError(`${path}: expected format ${FORMAT}`);
  return outcome;
}

/** What was not available comes last. */
const startOf = (outcome: Outcome) => (isRun(outcome) ? outcome.startedAt : '~');

const compareTexts = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** Every run below the folders, in the order in which they were made. Throws `TypeError` where there is none. */
export function readRuns(folders: readonly string[]): Outcome[] {
  const outcomes = folders.flatMap((folder) => {
    const found = filesBelow(folder).sort().map(read);
    if (found.length === 0) throw new TypeError(`${folder}: no run.json in it`);
    return found;
  });
  return outcomes
    .map((outcome, index) => ({ outcome, index }))
    .sort((a, b) => compareTexts(startOf(a.outcome), startOf(b.outcome)) || a.index - b.index)
    .map(({ outcome }) => outcome);
}

/** All knobs of a workload; its name, what it says about itself and its seed decide nothing. */
export function knobsOf(workload: Workload): Knobs {
  const { name: _name, about: _about, seed: _seed, ...knobs } = workload;
  return flat(knobs, '');
}

function flat(value: object, prefix: string): Knobs {
  const entries = Object.entries(value).map(([name, inner]): [string, unknown][] => {
    const path = `${prefix}${name}`;
    return typeof inner === 'object' && inner !== null
      ? Object.entries(flat(inner as object, `${path}.`))
      : [[path, inner]];
  });
  return Object.fromEntries(entries.flat());
}

/** Equal for runs that may be averaged or compared; `without`: whatever these knobs are. */
export function configKey(run: RunResult, without: readonly string[] = []): string {
  const knobs = Object.entries(knobsOf(run.config)).filter(([path]) => !without.includes(path));
  return JSON.stringify(knobs.sort(([a], [b]) => compareTexts(a, b)));
}

/** In the order in which the keys first come. */
export function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

/** The knobs in which some of these runs differ, in the order in which a workload names them. */
export function differingKnobs(runs: readonly RunResult[]): string[] {
  const all = runs.map((run) => knobsOf(run.config));
  const names = [...new Set(all.flatMap((knobs) => Object.keys(knobs)))];
  return names.filter((name) => new Set(all.map((knobs) => JSON.stringify(knobs[name]))).size > 1);
}

export const knobText = (value: unknown) => (value === undefined ? '' : String(value));
