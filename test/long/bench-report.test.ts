/** `bench report` as a program: the same runs give the same bytes, page and picture; plots that lack data; and runs that are all void. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { reportOf } from '../../bench/report.js';
import type { Outcome } from '../../bench/runs.js';
import { sweepNames } from '../../bench/sweep-plan.js';
import { directory } from '../client-helpers.js';
import { bench } from '../support/bench.js';
import { RUNS, SWEPT } from '../support/bench-report.js';
import { madeRun, writeRuns } from '../support/runs.js';

const PNG = Buffer.from('89504e470d0a1a0a', 'hex');

async function written(outcomes: readonly Outcome[]) {
  const folder = directory('bench-report');
  const [page, png] = [join(folder, 'page.html'), join(folder, 'plot.png')];
  const runs = writeRuns(join(folder, 'runs'), outcomes);
  const { status, stderr } = await bench(['report', runs, '--out', page, '--png', png]);
  assert.is(status, 0, stderr);
  return { html: readFileSync(page, 'utf8'), png: readFileSync(png) };
}

test('the same runs give the same bytes, page and picture', async () => {
  const [one, other] = [await written([...RUNS, ...SWEPT]), await written([...RUNS, ...SWEPT])];
  assert.ok(one.html === other.html);
  assert.ok(one.png.equals(other.png));
  assert.ok(one.png.subarray(0, 8).equals(PNG));
  assert.ok(one.png.readUInt32BE(16) > 1000, 'a picture that is wide enough to be read');
});

test('a plot without data names the command that gives it, and that is one', async () => {
  const { html } = await reportOf(RUNS);
  const named = [...html.matchAll(/<code>npm run -s bench -- sweep (\w+)<\/code> gives it/g)].map(
    ([, name]) => name,
  );
  assert.equal(named.sort(), sweepNames().sort());
  const swept = (await reportOf([...RUNS, ...SWEPT])).html;
  assert.not.match(swept, /bench -- sweep/);
  for (const title of [/against shards/, /against the rate/, /against mailboxes/, /against recipients/])
    assert.match(swept, title);
});

test('nothing but void runs make a page without plots, and no picture', async () => {
  const folder = writeRuns(directory('bench-report'), [madeRun({ void: ['1 lost'] })]);
  const page = join(folder, 'page.html');
  assert.is((await bench(['report', folder, '--out', page])).status, 0);
  assert.match(readFileSync(page, 'utf8'), /<code>npm run -s bench -- run throughput .*gives it/);
  assert.is((await bench(['report', folder, '--out', page, '--png', `${page}.png`])).status, 2);
  assert.is((await bench(['report'])).status, 2);
});

test.run();
