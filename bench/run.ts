/** `bench run`: systems take turns, one server at a time; a line or a row for every run. */
import { parseArgs } from 'node:util';
import { cellsOf, textOf } from './cells.js';
import { Cleanup } from './cleanup.js';
import { measure, type RunOptions } from './measure.js';
import { profileText } from './profile.js';
import { progressOf } from './progress.js';
import { FORMAT, lineOf, type NotAvailable, type RunResult } from './result.js';
import { saveRun } from './run-files.js';
import type { System, ThreadProfile } from './system.js';
import { systemOf } from './systems/index.js';
import { loadWorkload, type Workload } from './workload.js';

export const HELP = `bench run WORKLOAD [options]

  WORKLOAD                a built-in name (bench list) or the path of a JSON file
  --system A,B            systems, which take turns; default countersign
  --seconds N             of the measured window; as --set seconds=N
  --warmup N              before it; as --set warmupSeconds=N
  --repeat N              runs of every system; default 1
  --set PATH.TO.KNOB=V    changes a knob of the workload; may be given several times
  --out FOLDER            where runs are kept; default bench-results
  --profile               also where the time went in every thread of server and clients, which costs some of it
  --json                  one JSON line per run
`;

export async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      system: { type: 'string', default: 'countersign' },
      seconds: { type: 'string' },
      warmup: { type: 'string' },
      repeat: { type: 'string', default: '1' },
      set: { type: 'string', multiple: true, default: [] },
      out: { type: 'string', default: 'bench-results' },
      profile: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const workload = loadWorkload(workloadName(positionals), [
    ...(values.seconds === undefined ? [] : [`seconds=${values.seconds}`]),
    ...(values.warmup === undefined ? [] : [`warmupSeconds=${values.warmup}`]),
    ...values.set,
  ]);
  const results = await runInTurns({
    systems: values.system.split(',').map(systemOf),
    workload,
    repeat: positive('--repeat', values.repeat),
    out: values.out,
    profile: values.profile ? showProfiles : null,
    done(result) {
      if (values.json) process.stdout.write(`${JSON.stringify(lineOf(result))}\n`);
    },
  });
  if (!values.json) process.stdout.write(textOf(cellsOf(results)));
  if (results.some((each) => !('notAvailable' in each) && each.void.length > 0)) process.exitCode = 1;
}

/** Beside the results, which stay what they are for scripts. */
function showProfiles(profiles: readonly ThreadProfile[]): void {
  for (const { name, profile } of profiles) process.stderr.write(profileText(name, profile));
}

export function workloadName(positionals: readonly string[]): string {
  const [name, ...others] = positionals;
  if (name === undefined || others.length > 0)
    throw new TypeError(`WORKLOAD: expected one, got ${positionals.length}`);
  return name;
}

export function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`${flag}: expected a positive integer, got ${text}`);
  return value;
}

export interface Turns {
  readonly systems: readonly System[];
  readonly workload: Workload;
  readonly repeat: number;
  /** Below it every run has its folder. */
  readonly out: string;
  readonly profile: RunOptions['profile'];
  readonly done: (result: RunResult | NotAvailable) => void;
}

/** A B A B …: what makes the machine slow for a while makes all of them slow. */
export async function runInTurns(turns: Turns): Promise<(RunResult | NotAvailable)[]> {
  const { systems, repeat, done } = turns;
  const results: (RunResult | NotAvailable)[] = [];
  await interruptible(async (cleanup) => {
    for (let repetition = 1; repetition <= repeat; repetition++)
      for (const system of systems) {
        const result = await runOne({ ...turns, system, repetition, cleanup });
        results.push(result);
        done(result);
      }
  });
  return results;
}

/** Ctrl-C undoes what was put into the cleanup, and ends the bench. */
export async function interruptible(run: (cleanup: Cleanup) => Promise<void>): Promise<void> {
  const cleanup = new Cleanup();
  const interrupted = () => void cleanup.run().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  await run(cleanup);
  process.removeListener('SIGINT', interrupted);
}

export interface One extends Pick<RunOptions, 'system' | 'workload' | 'repetition' | 'cleanup' | 'profile'> {
  readonly out: string;
}

/** Runs, and keeps what came out. */
export async function runOne(one: One): Promise<RunResult | NotAvailable> {
  const result = await outcomeOf(one);
  saveRun(one.out, result);
  return result;
}

async function outcomeOf(one: One): Promise<RunResult | NotAvailable> {
  const { system, workload, repetition } = one;
  const notAvailable = await system.missing(workload);
  if (notAvailable !== null)
    return { format: FORMAT, system: system.name, workload: workload.name, notAvailable };
  const progress = progressOf(`${system.name} ${repetition}`, workload);
  try {
    return await measure({ ...one, tick: progress.tick });
  } finally {
    progress.stop();
  }
}
