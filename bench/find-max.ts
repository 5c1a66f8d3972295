/**
 * `bench find-max`: the highest rate of an open loop that a system sustains. A rate is sustained when the run counts (nothing
 * lost, the generator in time), everything that was due was sent, deliveries keep up, and the latency asked for holds.
 */
import { parseArgs } from 'node:util';
import { lineOf, type RunResult } from './result.js';
import { interruptible, runOnce } from './run.js';
import { searchMax } from './search.js';
import type { System } from './system.js';
import { systemOf } from './systems/index.js';
import type { Workload } from './workload.js';
import { WORKLOAD_HELP, WORKLOAD_OPTIONS, workloadFrom } from './workload-options.js';

const HELP = `bench find-max WORKLOAD --slo p99<50ms [options]

Doubles the rate from the first one until it is not sustained, then halves the distance. Every probe is told.

${WORKLOAD_HELP}  --slo pN<Xms            what must hold of the latency: p50, p99 or p999
  --from RATE             messages a second to begin with; default 1000
  --precision P           ends when the rate is known to P percent; default 5
`;

/** What may be missing of the rate, beyond chance: the window's ends are not exactly those of its messages. */
const KEEPS_UP = 0.98;

export interface Slo {
  readonly name: 'p50Ms' | 'p99Ms' | 'p999Ms';
  readonly ms: number;
  readonly text: string;
}

export async function main(args: string[]): Promise<void> {
  const options = {
    ...WORKLOAD_OPTIONS,
    slo: { type: 'string' },
    from: { type: 'string', default: '1000' },
    precision: { type: 'string', default: '5' },
  } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  if (values.help) return void process.stdout.write(HELP);
  const search = {
    workload: workloadFrom(positionals, values),
    slo: sloFrom(values.slo ?? ''),
    from: positive('--from', values.from),
    precision: positive('--precision', values.precision) / 100,
    out: values.out,
    tell: (line: object, text: string) =>
      void process.stdout.write(`${values.json ? JSON.stringify(line) : text}\n`),
  };
  await interruptible(async (cleanup) => {
    for (const system of values.system.split(',').map(systemOf)) await findMax(system, search, cleanup);
  });
}

interface Search {
  readonly workload: Workload;
  readonly slo: Slo;
  readonly from: number;
  readonly precision: number;
  readonly out: string;
  readonly tell: (line: object, text: string) => void;
}

type Cleanup = Parameters<Parameters<typeof interruptible>[0]>[0];

async function findMax(system: System, search: Search, cleanup: Cleanup): Promise<void> {
  const { workload, slo, tell } = search;
  const { name } = system;
  const missing = await system.missing(workload);
  if (missing !== null)
    return tell({ system: name, workload: workload.name, notAvailable: missing }, `${name}: n/a: ${missing}`);
  let probes = 0;
  const max = await searchMax(search.from, search.precision, async (rate) => {
    const given = { workload: atRate(workload, rate), profile: null, out: search.out };
    const result = (await runOnce(system, given, ++probes, cleanup)) as RunResult;
    const why = whyNot(result, rate, slo);
    const verdict = why.length === 0 ? 'sustained' : `not sustained: ${why.join('; ')}`;
    tell({ ...lineOf(result), rate, why }, `${name}: ${rate} a second: ${latencies(result)}: ${verdict}`);
    return why.length === 0;
  });
  const result = { system: name, workload: workload.name, slo: slo.text, maxRate: max };
  tell(result, `${name}: ${max ?? 'no rate'} a second with ${slo.text} (${workload.name})`);
}

/** The same load as an open loop. */
function atRate(workload: Workload, rate: number): Workload {
  const arrivals = workload.load.mode === 'open' ? workload.load.arrivals : 'poisson';
  return { ...workload, load: { mode: 'open', rate, arrivals } };
}

/** Nothing = the rate is sustained. */
export function whyNot(result: RunResult, rate: number, { name, ms, text }: Slo): string[] {
  const why = [...result.void];
  const { config, generator } = result;
  if (generator.unsent > 0) why.push(`${generator.unsent} could not be sent`);
  // Four standard deviations of a Poisson process are chance.
  const least = KEEPS_UP * rate - 4 * Math.sqrt(rate / result.seconds);
  if (result.acknowledgedPerSecond < least) why.push(`${result.acknowledgedPerSecond} acknowledged a second`);
  if (config.online === config.mailboxes && result.deliveredPerSecond < least * config.recipients)
    why.push(`${result.deliveredPerSecond} delivered a second`);
  if (!(result[name] < ms)) why.push(`${result[name]} ms, not ${text}`);
  return why;
}

const latencies = ({ p50Ms, p99Ms, p999Ms }: RunResult) =>
  `p50 ${p50Ms} ms, p99 ${p99Ms} ms, p99.9 ${p999Ms} ms`;

export function sloFrom(text: string): Slo {
  const [, name, ms] = /^(p50|p99|p999)<(\d+(?:\.\d+)?)ms$/.exec(text) ?? [];
  if (name === undefined || ms === undefined)
    throw new TypeError(`--slo: expected p50, p99 or p999, as in p99<50ms, got ${text || 'nothing'}`);
  return { name: `${name}Ms` as Slo['name'], ms: Number(ms), text };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1e9)) throw new TypeError(`${flag}: expected a positive number, got ${text}`);
  return value;
}
