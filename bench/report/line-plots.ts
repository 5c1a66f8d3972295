/** Lines over a knob: what sweeps are for. Each plot is null where no runs differ in that knob alone. */
import type { RunResult } from '../result.js';
import type { Spec } from './draw.js';
import { colour, dash, HEIGHT, heading, quantity, type Scale, shape, WIDTH } from './marks.js';
import { only, type Palette } from './palette.js';
import { type Axis, linesOver, type Point } from './select.js';

const RANGE = 'point: median of the runs; bar: from the lowest to the highest';

interface Lines {
  readonly points: readonly (Point & { readonly percentile?: string })[];
  readonly x: Scale;
  readonly y: Scale;
  readonly palette: Palette;
}

/** Lines, points and ranges. Settings that differ are told apart by how the line is dashed. */
function lines({ points, x, y, palette }: Lines): Spec {
  const present = only(palette, points);
  const ticks = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const settings = new Set(points.map(({ setting }) => setting)).size > 1;
  const strokeDash = settings ? { field: 'setting', type: 'nominal', title: null } : dash(present);
  const horizontal = quantity('x', { ...x, log: ticks, ticks });
  const common = { x: horizontal, color: colour(present, true) };
  return {
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 1.5 },
        encoding: { ...common, y: { ...quantity('min', y) }, y2: { field: 'max' } },
      },
      {
        mark: { type: 'line', strokeWidth: 2 },
        encoding: { ...common, strokeDash, y: quantity('median', y) },
      },
      {
        mark: { type: 'point', filled: true, size: 70, opacity: 1 },
        encoding: { ...common, shape: shape(present), y: quantity('median', y) },
      },
    ],
  };
}

const inlined = (spec: Spec, rows: readonly object[], title: Spec): Spec => ({
  title,
  data: { values: rows },
  ...spec,
});

interface Sized {
  readonly runs: readonly RunResult[];
  readonly palette: Palette;
}

export const SHARDS: Axis = {
  knobs: ['server.inboxes', 'server.outboxes'],
  of: (run) => run.config.server.inboxes,
};
const MAILBOXES: Axis = { knobs: ['mailboxes', 'online'], of: (run) => run.config.mailboxes };
const RECIPIENTS: Axis = { knobs: ['recipients'], of: (run) => run.config.recipients };
const RATE: Axis = {
  knobs: ['load.rate'],
  of: (run) => (run.config.load.mode === 'open' ? run.config.load.rate : 0),
};

export function overShards({ runs, palette }: Sized): Spec | null {
  const points = linesOver(
    runs.filter(({ config }) => config.server.inboxes === config.server.outboxes),
    SHARDS,
    (run) => run.deliveredPerSecond,
  );
  if (points.length === 0) return null;
  const x = { title: 'inboxes, and as many outboxes' };
  const spec = lines({ points, x, y: { title: 'deliveries per second' }, palette });
  const title = heading('Throughput against shards: more is better', RANGE);
  return inlined({ width: WIDTH, height: HEIGHT, ...spec }, points, title);
}

function costOver({ runs, palette }: Sized, axis: Axis, what: string): Spec | null {
  const points = linesOver(runs, axis, (run) => run.serverCpuSecondsPerMillion);
  if (points.length === 0) return null;
  const x = { title: what };
  const spec = lines({ points, x, y: { title: 'server CPU, seconds per million messages' }, palette });
  const title = heading(`Cost of a message against ${what}: less is better`, RANGE);
  return inlined({ width: WIDTH, height: HEIGHT, ...spec }, points, title);
}

export const costOverMailboxes = (sized: Sized): Spec | null => costOver(sized, MAILBOXES, 'mailboxes');
export const costOverRecipients = (sized: Sized): Spec | null =>
  costOver(sized, RECIPIENTS, 'recipients per message');

const PERCENTILES = {
  p50: (run: RunResult) => run.p50Ms,
  p99: (run: RunResult) => run.p99Ms,
  'p99.9': (run: RunResult) => run.p999Ms,
};

/** One panel per percentile, beside each other, on one scale. */
export function latencyOverRate({ runs, palette }: Sized): Spec | null {
  const paced = runs.filter(({ config }) => config.load.mode === 'open');
  const points = Object.entries(PERCENTILES).flatMap(([percentile, of]) =>
    linesOver(paced, RATE, of).map((point) => ({ ...point, percentile })),
  );
  if (points.length === 0) return null;
  const x = { title: 'messages sent per second', short: true } as const;
  const y = { title: 'send to delivery, ms', log: points.flatMap(({ min, max }) => [min, max]) };
  const column = {
    field: 'percentile',
    sort: Object.keys(PERCENTILES),
    title: null,
    header: { labelFontSize: 13 },
  };
  const spec = {
    facet: { column },
    spec: { width: WIDTH / 3, height: HEIGHT, ...lines({ points, x, y, palette }) },
  };
  const open = 'open loop, from the intended time of sending';
  return inlined(spec, points, heading('Latency against the rate: less is better', open, RANGE));
}
