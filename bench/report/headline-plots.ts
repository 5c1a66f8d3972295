/** Of one workload under one configuration: how systems stand beside each other, and what happened within. */
import { type Cell, countedOf, warningOf } from '../cells.js';
import type { RunResult } from '../result.js';
import { finite, median, spreadOf } from '../statistics.js';
import type { Spec } from './draw.js';
import { colour, dash, HEIGHT, heading, quantity, type Scale, WIDTH } from './marks.js';
import { only, type Palette } from './palette.js';
import { mergedLatencies, stagesOf } from './select.js';

const PANEL = 300;
const STEP = 44;

const aboutOf = (cells: readonly Cell[]): string => cells.flatMap(countedOf)[0]!.config.about;
const nameOf = (cells: readonly Cell[]): string => cells[0]!.workload;
const isOpen = (cells: readonly Cell[]) => cells.flatMap(countedOf)[0]!.config.load.mode === 'open';

/** Below its name what a system promised, because numbers of unequal promises are not equal. */
function labelOf(cell: Cell): string {
  const [run] = countedOf(cell);
  if (!run) return cell.system;
  const { durable, totalOrder } = run.promises;
  return `${cell.system}\n${durable}, ${totalOrder ? 'one order' : 'NO total order'}`;
}

/** Names of systems, the best first. */
function systemsAxis(cells: readonly Cell[], score: (runs: readonly RunResult[]) => number): Spec {
  const rank = (cell: Cell) =>
    countedOf(cell).length > 0 ? score(countedOf(cell)) : Number.NEGATIVE_INFINITY;
  const sort = [...cells].sort((a, b) => rank(b) - rank(a)).map(labelOf);
  const axis = { labelExpr: "split(datum.label, '\\n')", labelPadding: 8, ticks: false, domain: false };
  return { field: 'label', type: 'nominal', title: null, sort, axis };
}

interface Bars {
  readonly cells: readonly Cell[];
  readonly palette: Palette;
  readonly of: (run: RunResult) => number;
  readonly scale: Scale;
  readonly title: string;
  readonly y: Spec;
}

function bars({ cells, palette, of, scale, title, y }: Bars): Spec {
  const rows = cells.map((cell) => {
    const values = finite(countedOf(cell).map(of));
    const base = { system: cell.system, label: labelOf(cell) };
    if (values.length > 0) return { ...base, ...spreadOf(values) };
    return { ...base, text: warningOf(cell) || 'none' };
  });
  const most = Math.max(...rows.map((row) => ('max' in row ? row.max : 0)));
  const x = (field: string) => ({
    ...quantity(field, scale),
    scale: { domain: [0, most * 1.3], nice: false },
  });
  const measured = { filter: 'isValid(datum.median)' };
  const number = { field: 'median', format: most >= 100 ? ',.0f' : '.2f' };
  const text = { type: 'text', align: 'left', baseline: 'middle', dx: 6, fontSize: 12 };
  return {
    title: { text: title, fontSize: 13, fontWeight: 'normal', offset: 6 },
    data: { values: rows },
    width: PANEL,
    height: { step: STEP },
    encoding: { y },
    layer: [
      {
        transform: [measured],
        mark: { type: 'bar', height: 22 },
        encoding: { x: x('median'), color: colour(palette, false) },
      },
      {
        transform: [measured],
        mark: { type: 'rule', strokeWidth: 1.5 },
        encoding: { x: x('min'), x2: { field: 'max' } },
      },
      {
        transform: [measured],
        mark: text,
        encoding: { x: x('max'), text: { ...number, type: 'quantitative' } },
      },
      {
        transform: [{ filter: 'isValid(datum.text)' }],
        mark: { ...text, color: '#b00020', limit: PANEL - 20 },
        encoding: { x: { datum: 0, type: 'quantitative' }, text: { field: 'text', type: 'nominal' } },
      },
    ],
  };
}

const blank = (y: Spec): Spec => ({ ...y, axis: { ...(y['axis'] as object), labels: false } });

/** The main plot: throughput and cost beside each other, or in an open loop, where the rate is given, latency. */
export function systems(cells: readonly Cell[], palette: Palette): Spec {
  const present = only(palette, cells);
  const [left, right] = isOpen(cells) ? LATENCIES : COSTS;
  const y = systemsAxis(cells, left.score);
  return {
    title: heading(
      `Workload ${nameOf(cells)}: ${left.says}`,
      aboutOf(cells),
      'bar: median of the runs; line: from the lowest to the highest',
    ),
    hconcat: [
      bars({ cells, palette: present, y, ...left }),
      bars({ cells, palette: present, y: blank(y), ...right }),
    ],
    spacing: 24,
    // Else the second panel's scale is made of the first one's data.
    resolve: { scale: { color: 'independent', x: 'independent' } },
  };
}

const medianOf = (runs: readonly RunResult[], of: (run: RunResult) => number) => median(runs.map(of));

const COSTS = [
  {
    says: 'throughput and cost',
    of: (run: RunResult) => run.deliveredPerSecond,
    score: (runs: readonly RunResult[]) => medianOf(runs, (run) => run.deliveredPerSecond),
    scale: { title: 'deliveries per second', short: true },
    title: 'Throughput: more is better',
  },
  {
    of: (run: RunResult) => run.serverCpuSecondsPerMillion,
    scale: { title: 'server CPU, seconds per million messages' },
    title: 'Cost: less is better',
  },
] as const;

const LATENCIES = [
  {
    says: 'latency, from the intended time of sending',
    of: (run: RunResult) => run.p50Ms,
    score: (runs: readonly RunResult[]) => -medianOf(runs, (run) => run.p50Ms),
    scale: { title: 'p50, ms' },
    title: 'Median: less is better',
  },
  {
    of: (run: RunResult) => run.p99Ms,
    scale: { title: 'p99, ms' },
    title: '99th percentile: less is better',
  },
] as const;

const DECADES = [1, 10, 100, 1000, 10_000, 100_000];

/** Every percentile of all runs together, the tail stretched as HdrHistogram's plots do. */
export function percentiles(cells: readonly Cell[], palette: Palette): Spec | null {
  const measured = cells.filter((cell) => countedOf(cell).length > 0);
  const rows = measured.flatMap((cell) => {
    const { count, at } = mergedLatencies(countedOf(cell));
    const steps = Array.from({ length: 101 }, (_, i) => 10 ** (i / 20)).filter((x) => x <= count);
    return steps.map((x) => ({ system: cell.system, x, ms: at(100 - 100 / x) }));
  });
  if (rows.length === 0) return null;
  const most = Math.max(...rows.map(({ x }) => x));
  const present = only(palette, rows);
  const x = quantity('x', { title: 'percentile', log: [1, most], ticks: DECADES.filter((x) => x <= most) });
  const labelExpr = "format(100 - 100 / datum.value, '.6~g') + ' %'";
  return {
    title: heading(
      `Workload ${nameOf(cells)}: latency by percentile, less is better`,
      'send to delivery, all runs together',
    ),
    width: WIDTH,
    height: HEIGHT,
    data: { values: rows },
    mark: { type: 'line', strokeWidth: 2 },
    encoding: {
      x: { ...x, axis: { ...(x['axis'] as object), labelExpr } },
      y: quantity('ms', { title: 'ms', log: rows.map(({ ms }) => ms) }),
      color: colour(present, true),
      strokeDash: dash(present),
    },
  };
}

/** Null where no system tells how long its stages took. */
export function stages(cells: readonly Cell[], palette: Palette): Spec | null {
  const measured = cells.filter((cell) => stagesOf(countedOf(cell)).length > 0);
  const rows = measured.flatMap(({ system, ...cell }) =>
    stagesOf(countedOf({ system, ...cell })).map((stage) => ({
      system,
      ...stage,
      end: Math.max(stage.median, stage.high),
    })),
  );
  if (rows.length === 0) return null;
  const present = only(palette, rows);
  const y = {
    field: 'stage',
    type: 'nominal',
    title: null,
    sort: [...new Set(rows.map(({ stage }) => stage))],
  };
  const apart = { yOffset: { field: 'system', type: 'nominal', sort: present.systems } };
  const most = Math.max(...rows.map(({ end }) => end));
  const x = (field: string) => ({
    ...quantity(field, { title: 'ms per epoch' }),
    scale: { domain: [0, most * 1.15], nice: false },
  });
  const color = colour(present, true);
  const number = { field: 'median', type: 'quantitative', format: '.2f' };
  const text = { type: 'text', align: 'left', baseline: 'middle', dx: 6, fontSize: 11 };
  return {
    title: heading(
      `Workload ${nameOf(cells)}: time of an epoch's stages, less is better`,
      'bar: median of all epochs; line: nine in ten. Stages overlap: one epoch fills while one commits',
    ),
    width: WIDTH,
    height: { step: 18, for: 'offset' },
    data: { values: rows },
    encoding: { y, ...apart },
    layer: [
      { mark: { type: 'bar' }, encoding: { x: x('median'), color } },
      { mark: { type: 'rule', strokeWidth: 1.5 }, encoding: { x: x('low'), x2: { field: 'high' } } },
      { mark: text, encoding: { x: x('end'), text: number } },
    ],
  };
}

/** The first run of each system that counts, second by second; what is measured begins behind the grey part. */
export function intervals(cells: readonly Cell[], palette: Palette): Spec {
  const runs = cells.flatMap((cell) => countedOf(cell).slice(0, 1));
  const rows = runs.flatMap(({ system, intervals }) =>
    intervals.map((interval) => ({ system, ...interval, middle: interval.second + 0.5 })),
  );
  const present = only(palette, rows);
  const latencies = rows.map(({ p99Ms }) => p99Ms).filter((ms) => ms > 0);
  const warmup = { from: 0, to: runs[0]!.config.warmupSeconds };
  const x = quantity('middle', { title: 'second of the load' });
  const panel = (field: string, scale: Scale) => ({
    width: WIDTH,
    height: 170,
    layer: [
      {
        data: { values: [warmup] },
        mark: { type: 'rect', color: '#eeeeee' },
        encoding: { x: { ...x, field: 'from' }, x2: { field: 'to' } },
      },
      {
        // Nothing came in a second without a latency.
        transform: scale.log ? [{ filter: `datum.${field} > 0` }] : [],
        mark: { type: 'line', strokeWidth: 2, point: { size: 30 } },
        encoding: { x, y: quantity(field, scale), color: colour(present, true), strokeDash: dash(present) },
      },
    ],
  });
  return {
    title: heading(
      `Workload ${nameOf(cells)}: one run, second by second`,
      'the first run of each system; grey: warm-up, not measured',
    ),
    data: { values: rows },
    vconcat: [
      panel('delivered', { title: 'deliveries: more is better' }),
      panel('p99Ms', { title: 'p99, ms: less is better', log: latencies }),
    ],
  };
}
