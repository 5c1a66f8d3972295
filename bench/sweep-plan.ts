/**
 * A sweep: a workload, the knobs that change and their values. One JSON file each in bench/sweeps/, or from the command
 * line. `a+b` are knobs that change together.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { loadWorkload, type Workload } from './workload.js';

const FOLDER = fileURLToPath(new URL('../../bench/sweeps/', import.meta.url));

const Schema = v.strictObject({
  about: v.string(),
  workload: v.string(),
  set: v.optional(v.array(v.string()), []),
  over: v.record(v.string(), v.pipe(v.array(v.union([v.number(), v.string(), v.boolean()])), v.minLength(1))),
  systems: v.pipe(v.array(v.string()), v.minLength(1)),
  repeat: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
});

type Sweep = v.InferOutput<typeof Schema>;

/** What the command line says; it goes over what a file says. */
export interface Asked {
  readonly over: readonly string[];
  readonly set: readonly string[];
  readonly systems: readonly string[] | null;
  readonly repeat: number | null;
}

export interface PlannedCell {
  readonly knobs: Readonly<Record<string, string>>;
  readonly workload: Workload;
}

export interface Plan {
  readonly name: string;
  readonly systems: readonly string[];
  readonly repeat: number;
  readonly cells: readonly PlannedCell[];
}

export function sweepNames(): string[] {
  return readdirSync(FOLDER).map((file) => basename(file, '.json'));
}

/** `name`: a built-in sweep, a workload, or the JSON file of either. Throws `TypeError` on whatever does not fit. */
export function planOf(name: string, asked: Asked): Plan {
  const file = fileOf(name);
  const over = { ...file?.over, ...Object.fromEntries(asked.over.map(parsedOver)) };
  if (Object.keys(over).length === 0) throw new TypeError(`sweep ${name}: --over: expected one at least`);
  const settings = [...(file?.set ?? []), ...asked.set];
  const cells = product(Object.entries(over)).map((knobs) => ({
    knobs,
    workload: loadWorkload(file?.workload ?? name, [...settings, ...settingsOf(knobs)]),
  }));
  return {
    name: basename(name, '.json'),
    systems: asked.systems ?? file?.systems ?? ['countersign'],
    repeat: asked.repeat ?? file?.repeat ?? 3,
    cells,
  };
}

/** Null: it is a workload's. */
function fileOf(name: string): Sweep | null {
  const isFile = name.endsWith('.json');
  if (!isFile && !sweepNames().includes(name)) return null;
  const content = JSON.parse(readFileSync(isFile ? name : `${FOLDER}${name}.json`, 'utf8'));
  if (!('over' in content)) return null;
  const result = v.safeParse(Schema, content);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new TypeError(`sweep ${name}: ${v.getDotPath(issue) ?? ''}: ${issue.message}`);
}

function parsedOver(text: string): [string, string[]] {
  const [, path, values] = /^([\w.+]+)=(.+)$/.exec(text) ?? [];
  if (path === undefined || values === undefined)
    throw new TypeError(`--over ${text}: expected path.to.knob=value,value`);
  return [path, values.split(',')];
}

/** Every combination; the last knob changes fastest. */
function product(over: readonly (readonly [string, readonly unknown[]])[]): Record<string, string>[] {
  return over.reduce<Record<string, string>[]>(
    (cells, [path, values]) =>
      cells.flatMap((cell) => values.map((value) => ({ ...cell, [path]: String(value) }))),
    [{}],
  );
}

const settingsOf = (knobs: Readonly<Record<string, string>>) =>
  Object.entries(knobs).flatMap(([paths, value]) => paths.split('+').map((path) => `${path}=${value}`));
