/** `bench report` as a program: the same runs give the same bytes, page and picture. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Outcome } from '../../bench/runs.js';
import { directory } from '../client-helpers.js';
import { bench } from '../support/bench.js';
import { RUNS, SWEPT } from '../support/bench-report.js';
import { writeRuns } from '../support/runs.js';

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

test.run();
