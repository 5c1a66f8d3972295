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
import type { Workload } from './workload.js';
import { WORKLOAD_HELP, WORKLOAD_OPTIONS, workloadFrom } from './workload-options.js';

const HELP = `bench run WORKLOAD [options]

${WORKLOAD_HELP}  --repeat N              runs of every system; default 1
  --profile               also where the time went in every thread of server and clients, which costs some of it
`;

export async function main(args: string[]): Promise<void> {
  const options = {
    ...WORKLOAD_OPTIONS,
    repeat: { type: 'string', default: '1' },
    profile: { type: 'boolean', default: false },
  } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  if (values.help) return void process.stdout.write(HELP);
  const results = await runInTurns({
    systems: values.system.split(',').map(systemOf),
    workload: workloadFrom(positionals, values),
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
export function runInTurns(turns: Turns): Promise<(RunResult | NotAvailable)[]> {
  return interruptible(async (cleanup) => {
    const results: (RunResult | NotAvailable)[] = [];
    for (let repetition = 1; repetition <= turns.repeat; repetition++)
      for (const system of turns.systems) {
        const result = await runOnce(system, turns, repetition, cleanup);
        results.push(result);
        turns.done(result);
      }
    return results;
  });
}

/** On SIGINT everything that was started is stopped, and the process ends. */
export async function interruptible<T>(work: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const cleanup = new Cleanup();
  const interrupted = () => void cleanup.run().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  try {
    return await work(cleanup);
  } finally {
    process.removeListener('SIGINT', interrupted);
  }
}

/** A system that is missing is a result, too. */
export async function runOnce(
  system: System,
  { workload, profile, out }: Pick<Turns, 'workload' | 'profile' | 'out'>,
  repetition: number,
  cleanup: Cleanup,
): Promise<RunResult | NotAvailable> {
  const notAvailable = await system.missing(workload);
  if (notAvailable !== null) {
    const missing = { format: FORMAT, system: system.name, workload: workload.name, notAvailable } as const;
    saveRun(out, missing);
    return missing;
  }
  const progress = progressOf(`${system.name} ${repetition}`, workload);
  try {
    const result = await measure({ system, workload, repetition, cleanup, profile, tick: progress.tick });
    saveRun(out, result);
    return result;
  } finally {
    progress.stop();
  }
}
