/** `bench run`: systems take turns, one server at a time; a line or a row for every run. */
import { parseArgs } from 'node:util';
import { Cleanup } from './cleanup.js';
import { measure, type RunOptions } from './measure.js';
import { profileText } from './profile.js';
import { progressOf } from './progress.js';
import { FORMAT, lineOf, type NotAvailable, type RunResult } from './result.js';
import { saveRun } from './run-files.js';
import type { System, ThreadProfile } from './system.js';
import { systemOf } from './systems/index.js';
import { table } from './table.js';
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
  if (!values.json) process.stdout.write(table(results));
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
  const { systems, repeat, out, done } = turns;
  const results: (RunResult | NotAvailable)[] = [];
  const cleanup = new Cleanup();
  const interrupted = () => void cleanup.run().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  for (let repetition = 1; repetition <= repeat; repetition++)
    for (const system of systems) {
      const result = await one(system, turns, repetition, cleanup);
      if (!('notAvailable' in result)) saveRun(out, result);
      results.push(result);
      done(result);
    }
  process.removeListener('SIGINT', interrupted);
  return results;
}

async function one(
  system: System,
  { workload, profile }: Pick<Turns, 'workload' | 'profile'>,
  repetition: number,
  cleanup: Cleanup,
): Promise<RunResult | NotAvailable> {
  const notAvailable = await system.missing(workload);
  if (notAvailable !== null)
    return { format: FORMAT, system: system.name, workload: workload.name, notAvailable };
  const progress = progressOf(`${system.name} ${repetition}`, workload);
  try {
    return await measure({ system, workload, repetition, cleanup, profile, tick: progress.tick });
  } finally {
    progress.stop();
  }
}
