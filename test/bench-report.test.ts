/** `bench report`: what the page says, shows and leaves out. As a program, and with plots: test/long/bench-report.test.ts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cellsOf } from '../bench/cells.js';
import { svgOf } from '../bench/report/draw.js';
import { only, paletteOf } from '../bench/report/palette.js';
import { headlines, linesOver, mergedLatencies, stagesOf } from '../bench/report/select.js';
import { reportOf } from '../bench/report.js';
import { RUNS, STAGES } from './support/bench-report.js';
import { madeRun } from './support/runs.js';

const { html } = await reportOf(RUNS);

test('a page by itself: nothing is fetched, and no plot has ids that another might have', async () => {
  const fetched = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url!);
  assert.equal(
    fetched.filter((url) => !url.startsWith('data:') && !url.startsWith('#')),
    [],
  );
  assert.not.match(html, /<script|@import|url\((?!#)/);
  // Vega counts them on and on: they would also make a second page of one process another one.
  assert.not.match(html, /<[^>]* id="/);
});

test('void and missing are named, and their numbers are nowhere', async () => {
  assert.match(html, /VOID runs: 1\./);
  assert.match(html, /VOID: 1 of 1: 5 lost; no total order, though it is promised/);
  assert.match(html, /NOT AVAILABLE systems: 1\./);
  assert.match(html, /N\/A: redis-server is not installed/);
  assert.not.match(html, /777,?777/);
  assert.match(html, /100,000<br><small>99,000 … 101,000</);
});

test('environment and promises stand beside the numbers, escaped', async () => {
  const { html } = await reportOf([...RUNS, madeRun({ node: 'v22.0.0' })]);
  assert.match(html, /Example 9000/);
  assert.match(html, /v20\.20\.2<br>v22\.0\.0 <span class="warning">differs between runs/);
  assert.match(html, /in &lt;memory&gt;/);
  assert.not.match(html, /<memory/);
  assert.match(html, /NO total order/);
});

test('the table as CSV is in the page', async () => {
  const csv = Buffer.from(/data:text\/csv;base64,([^"]*)"/.exec(html)![1]!, 'base64').toString();
  const [header, first, ...rest] = csv.trimEnd().split('\n');
  assert.match(header!, /^system,workload,runs,deliveredPerSecondMedian,deliveredPerSecondMin,/);
  assert.match(first!, /^countersign,throughput,3,100000,99000,101000,/);
  assert.match(rest.join('\n'), /^central,throughput,0,,,,.*"?VOID/m);
});

test('a line has two values of its knob at least, and nothing else differs along it', () => {
  const recipients = {
    knobs: ['recipients'],
    of: (run: ReturnType<typeof madeRun>) => run.config.recipients,
  };
  const of = (...sets: string[][]) => sets.map((set, i) => madeRun({ set, perSecond: 1000 + i }));
  const value = (run: ReturnType<typeof madeRun>) => run.acknowledgedPerSecond;
  assert.equal(linesOver(of(['recipients=2'], ['recipients=3', 'senders=4']), recipients, value), []);
  const points = linesOver(
    of(
      ['recipients=2'],
      ['recipients=2'],
      ['recipients=3'],
      ['recipients=2', 'senders=4'],
      ['recipients=3', 'senders=4'],
    ),
    recipients,
    value,
  );
  const base = { system: 'countersign' };
  assert.equal(points, [
    { ...base, setting: 'senders 16', x: 2, median: 1000.5, min: 1000, max: 1001 },
    { ...base, setting: 'senders 16', x: 3, median: 1002, min: 1002, max: 1002 },
    { ...base, setting: 'senders 4', x: 2, median: 1003, min: 1003, max: 1003 },
    { ...base, setting: 'senders 4', x: 3, median: 1004, min: 1004, max: 1004 },
  ]);
});

test('the plotted configuration is the one that most systems were measured under', () => {
  const set = ['senders=4'];
  const cells = cellsOf([madeRun(), madeRun(), madeRun({ set }), madeRun({ set, system: 'central' })]);
  const [headline] = headlines(cells);
  assert.equal(
    headline!.map(({ system, knobs }) => [system, knobs['senders']]),
    [
      ['countersign', '4'],
      ['central', '4'],
    ],
  );
});

test('histograms are merged, not averaged; stages are of all epochs', () => {
  const { count, at } = mergedLatencies([madeRun({ p50Ms: 10 }), madeRun({ p50Ms: 1000 })]);
  assert.is(count, 2000);
  assert.ok(at(25) < 12 && at(75) > 900);
  const stages = stagesOf([madeRun({ stages: STAGES }), madeRun({ stages: { commit: [7] } })]);
  assert.equal(stages, [
    { stage: 'fill', median: 2, low: 1, high: 2 },
    { stage: 'commit', median: 6, low: 4, high: 7 },
  ]);
});

test('every system has its own look, the same whichever others are there', () => {
  const names = ['nats-ws', 'zeta', 'countersign', 'central', 'a', 'b', 'c', 'd', 'e', 'countersign'];
  const palette = paletteOf(names);
  assert.equal(palette.systems.slice(0, 3), ['countersign', 'central', 'nats-ws']);
  const looks = palette.systems.map((_, i) => `${palette.colours[i]} ${palette.dashes[i]}`);
  assert.is(new Set(looks).size, 9);
  const part = only(palette, [{ system: 'zeta' }]);
  assert.equal(part.colours, [palette.colours[palette.systems.indexOf('zeta')]]);
  assert.equal(paletteOf(['redis-always']).colours, paletteOf(['redis-always', 'central']).colours.slice(1));
});

test('what vega-lite would only warn of is an error', async () => {
  const spec = {
    data: { values: [{ a: 1 }] },
    mark: 'bar',
    encoding: { x: { field: 'a', type: 'quantitative', scale: { type: 'pint' } } },
  };
  let error = '';
  await svgOf(spec).catch((caught) => {
    error = String(caught);
  });
  assert.match(error, /vega-lite complains/);
});

test.run();
