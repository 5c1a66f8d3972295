/**
 * Many seeds, in one process per core: each is told a seed at a time and answers with what it found. What is done can be
 * kept in a file of JSON lines, one for each seed, and gone on with after any end.
 */
import { fork } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Kept } from './report.js';
import type { RunCounts, RunOptions } from './simulation.js';
import { hasTraits, type Trait } from './traits.js';

/** Sums over seeds. */
export type Total = { -readonly [key in keyof RunCounts]: number } & { seeds: number };

export interface ManyOptions extends RunOptions {
  readonly first: number;
  /** Seeds that are left out: they were run before. */
  readonly known?: ReadonlySet<number>;
  /** So many seeds at most, of those that have all of these. */
  readonly seeds: number;
  readonly only: readonly Trait[];
  readonly processes: number;
  /** Asked before a seed is begun. Those under way are finished. */
  readonly isEnough: (total: Total) => boolean;
  readonly done?: (kept: Kept, total: Total) => void;
}

const PROCESS = fileURLToPath(new URL('process.js', import.meta.url));

export function noTotal(): Total {
  const weather = { seeds: 0, epochs: 0, filled: 0, messages: 0, crashes: 0, events: 0 };
  return {
    ...weather,
    lyingActors: 0,
    actorLies: 0,
    named: 0,
    lyingClients: 0,
    clientLies: 0,
    rotations: 0,
    moves: 0,
  };
}

export function add(total: Total, { counts }: Kept): void {
  total.seeds++;
  for (const key of Object.keys(counts) as (keyof RunCounts)[]) total[key] += counts[key];
}

/** What was found first, in words; null when nothing was. `total` is added to. */
export async function simulateMany(options: ManyOptions, total: Total): Promise<string | null> {
  let seed = options.first;
  let failure: string | null = null;
  let begun = 0;
  const next = () => {
    if (failure !== null || begun >= options.seeds || options.isEnough(total)) return null;
    while (options.known?.has(seed) || !hasTraits(seed, options.only)) seed++;
    begun++;
    return seed++;
  };
  const done = (kept: Kept) => {
    add(total, kept);
    failure ??= kept.failure;
    options.done?.(kept, total);
  };
  await Promise.all(Array.from({ length: options.processes }, () => work(options, next, done)));
  return failure;
}

/** One process, for as long as there is a next seed. Rejects when it ends by itself. */
function work(
  { epochs, vectors }: RunOptions,
  next: () => number | null,
  done: (kept: Kept) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(PROCESS);
    let at: number | null = null;
    const tell = () => {
      at = next();
      if (at === null) child.disconnect();
      else child.send({ seed: at, options: { epochs, vectors } });
    };
    child.on('message', (kept) => {
      done(kept as Kept);
      tell();
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (at === null) resolve();
      else reject(new Error(`the process with seed ${at} ended: ${signal ?? `exit code ${code}`}`));
    });
    tell();
  });
}

// ---- the record

/** What a file has of the runs before. A line that was being written when everything ended is taken away. */
export function readRecord(file: string): Kept[] {
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file);
  const end = bytes.lastIndexOf('\n') + 1;
  if (end < bytes.length) truncateSync(file, end);
  return bytes
    .toString('utf8', 0, end)
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Kept]));
}

export function appendRecord(file: string, kept: Kept): void {
  appendFileSync(file, `${JSON.stringify(kept)}\n`);
}
