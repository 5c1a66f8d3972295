/** What every command that runs a workload is told. */
import { loadWorkload, type Workload } from './workload.js';

export const WORKLOAD_OPTIONS = {
  system: { type: 'string', default: 'countersign' },
  seconds: { type: 'string' },
  warmup: { type: 'string' },
  set: { type: 'string', multiple: true, default: [] as string[] },
  out: { type: 'string', default: 'bench-results' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const WORKLOAD_HELP = `  WORKLOAD                a built-in name (bench list) or the path of a JSON file
  --system A,B            systems (bench list), which take turns; default countersign
  --seconds N             of the measured window; as --set seconds=N
  --warmup N              before it; as --set warmupSeconds=N
  --set PATH.TO.KNOB=V    changes a knob of the workload; may be given several times
  --out FOLDER            where runs are kept, each in a folder of its own; default bench-results
  --json                  one JSON line per run
`;

interface Values {
  readonly seconds?: string | undefined;
  readonly warmup?: string | undefined;
  readonly set: readonly string[];
}

/** As `loadWorkload` takes them; --set goes over the others. */
export const settingsFrom = ({ seconds, warmup, set }: Values): string[] => [
  ...(seconds === undefined ? [] : [`seconds=${seconds}`]),
  ...(warmup === undefined ? [] : [`warmupSeconds=${warmup}`]),
  ...set,
];

/** Throws `TypeError` on anything that is no workload. */
export function workloadFrom(positionals: readonly string[], values: Values): Workload {
  const [name, ...others] = positionals;
  if (name === undefined || others.length > 0)
    throw new TypeError(`WORKLOAD: expected one, got ${positionals.length}`);
  return loadWorkload(name, settingsFrom(values));
}
