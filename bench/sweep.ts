/** `bench sweep`: every combination of knobs and systems, several times, the whole matrix in turns. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Cell, csvRowsOf, textOf } from './cells.js';
import type { Cleanup } from './cleanup.js';
import { FORMAT, type NotAvailable, type RunResult } from './result.js';
import { interruptible, positive, runOnce } from './run.js';
import { isRun, type Outcome } from './runs.js';
import { type Plan, type PlannedCell, planOf, sweepNames } from './sweep-plan.js';
import { systemOf } from './systems/index.js';
import { csvOf, number } from './text.js';
import { settingsFrom, WORKLOAD_OPTIONS } from './workload-options.js';

const HELP = `bench sweep NAME… [options]

  NAME                    a built-in sweep (${sweepNames().join(', ')}), a workload (bench list), or the path of the JSON
                          file of either
  --over PATH=V,W         a knob and its values; may be given several times. a+b=V,W: both change together
  --system A,B            default countersign, or what the sweep says
  --repeat N              runs of every combination; default 3, or what the sweep says
  --seconds N             of the measured window; as --set seconds=N
  --warmup N              before it; as --set warmupSeconds=N
  --set PATH.TO.KNOB=V    changes a knob of the workload everywhere; may be given several times
  --out FOLDER            default bench-results; runs and sweep.csv are in FOLDER/NAME
`;

// A table and a CSV come at the end, and no JSON line per run.
const { json: _json, ...RUN_OPTIONS } = WORKLOAD_OPTIONS;

export async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...RUN_OPTIONS,
      over: { type: 'string', multiple: true, default: [] },
      system: { type: 'string' },
      repeat: { type: 'string' },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  if (positionals.length === 0) throw new TypeError('NAME: expected one at least');
  const asked = {
    over: values.over,
    set: settingsFrom(values),
    systems: values.system?.split(',') ?? null,
    repeat: values.repeat === undefined ? null : positive('--repeat', values.repeat),
  };
  // All of them first: a mistake in the last one must not show after an hour.
  const plans = positionals.map((name) => planOf(name, asked));
  for (const { systems } of plans) systems.forEach(systemOf);
  for (const plan of plans) await sweep(plan, join(values.out, plan.name));
}

async function sweep(plan: Plan, out: string): Promise<void> {
  const measured = plan.cells.flatMap((cell) =>
    plan.systems.map((system) => ({ cell, system, outcomes: [] as Outcome[] })),
  );
  const progress = new Progress(plan.name, measured.length * plan.repeat);
  await interruptible(async (cleanup) => {
    for (let repetition = 1; repetition <= plan.repeat; repetition++)
      for (const { cell, system, outcomes } of measured) {
        const outcome = await outcomeOf(cell, system, repetition, out, cleanup);
        outcomes.push(outcome);
        progress.ran(cell, outcome);
      }
  });
  const cells = measured.map(({ cell, system, outcomes }): Cell => {
    const { knobs, workload } = cell;
    return { system, workload: workload.name, knobs, outcomes };
  });
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'sweep.csv'), csvOf(csvRowsOf(cells)));
  process.stdout.write(`${textOf(cells)}runs and sweep.csv are in ${out}\n`);
  const counted = measured.every(({ outcomes }) =>
    outcomes.every((one) => !isRun(one) || one.void.length === 0),
  );
  if (!counted || progress.failed) process.exitCode = 1;
}

/** A run that breaks down takes nothing of the others with it. */
async function outcomeOf(
  { workload }: PlannedCell,
  system: string,
  repetition: number,
  out: string,
  cleanup: Cleanup,
): Promise<RunResult | NotAvailable> {
  try {
    return await runOnce(systemOf(system), { workload, out, profile: null }, repetition, cleanup);
  } catch (error) {
    return {
      format: FORMAT,
      system,
      workload: workload.name,
      notAvailable: `FAILED: ${(error as Error).message}`,
    };
  }
}

/** A line per run, with how long the rest will take by what the runs so far took. */
class Progress {
  failed = false;
  private done = 0;
  private readonly start = performance.now();

  constructor(
    private readonly name: string,
    private readonly total: number,
  ) {
    process.stderr.write(`sweep ${name}: ${total} runs\n`);
  }

  ran({ knobs }: PlannedCell, outcome: Outcome): void {
    this.done++;
    const left = ((performance.now() - this.start) / this.done) * (this.total - this.done);
    const settings = Object.entries(knobs).map(([name, value]) => `${name}=${value}`);
    const where = [`${this.name} ${this.done}/${this.total}`, outcome.system, ...settings].join(' ');
    process.stderr.write(`${where}: ${this.said(outcome)}; ${duration(left)} left\n`);
  }

  private said(outcome: Outcome): string {
    if (!isRun(outcome)) {
      this.failed ||= outcome.notAvailable.startsWith('FAILED');
      return `N/A: ${outcome.notAvailable}`;
    }
    if (outcome.void.length > 0) return `VOID: ${outcome.void.join('; ')}`;
    return `${number(outcome.deliveredPerSecond)} deliveries/s, p99 ${number(outcome.p99Ms)} ms`;
  }
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
