/** The simulator as a whole: several processes, a record that is gone on with, and longer runs of seeds that found something. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { appendRecord, noTotal, readRecord, simulateMany } from '../simulation/many.js';
import { type Kept, keep } from '../simulation/report.js';
import { simulate } from '../simulation/simulation.js';

const test = suite('simulation, many');

const MAIN = fileURLToPath(new URL('../simulation/main.js', import.meta.url));

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 32);
test(`seed ${seed}, whose clients compare`, async () => {
  const { problems, compared } = await simulate(seed, { epochs: 8, vectors: true });
  assert.equal(problems, []);
  assert.ok(compared['same']! > 0, `no two clients ever had the same: ${JSON.stringify(compared)}`);
});

test('a client that lies harms nobody', async () => {
  const { problems, counts } = await simulate(12, { epochs: 12 });
  assert.equal(problems, []);
  assert.ok(counts.clientLies > 0);
});

test('several processes find what one finds, and a record is gone on with', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'simulated-'));
  const file = join(folder, 'record.jsonl');
  try {
    const [total, options] = [noTotal(), { epochs: 2, processes: 2, only: [], isEnough: () => false }];
    const done = (kept: Kept) => appendRecord(file, kept);
    assert.is(await simulateMany({ ...options, first: 1, seeds: 2, done }, total), null);
    // The end of the machine in the middle of a line.
    appendFileSync(file, '{"seed":3,"as');
    const kept = readRecord(file).sort((a, b) => a.seed - b.seed);
    assert.equal(kept, [await keep(1, options), await keep(2, options)]);
    assert.is(total.epochs, kept[0]!.counts.epochs + kept[1]!.counts.epochs);
    // A seed that was under way when everything ended is not passed over.
    appendRecord(file, { ...kept[0]!, seed: 4 });
    const args = ['--record', file, '--epochs', '2', '--seeds', '2', '--processes', '1'];
    assert.is(spawnSync(process.execPath, [MAIN, ...args]).status, 0);
    const seeds = readRecord(file).map(({ seed }) => seed);
    assert.equal(seeds.slice(-2), [3, 5]);
    assert.is(seeds.length, 5);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
test('only seeds whose runs move are run, and none of them is passed over', async () => {
  const seeds: number[] = [];
  const options = { epochs: 30, processes: 1, first: 1, seeds: 4, isEnough: () => false };
  const done = ({ seed, counts }: Kept) => {
    assert.ok(counts.moves > 0, `seed ${seed}`);
    seeds.push(seed);
  };
  assert.is(await simulateMany({ ...options, only: ['moves'], done }, noTotal()), null);
  const others = [...Array(seeds.at(-1)!).keys()].filter((seed) => seed > 0 && !seeds.includes(seed));
  for (const seed of others) assert.is((await simulate(seed, options)).counts.moves, 0, `seed ${seed}`);
});
test('a run that is cut short says so, and fails', () => {
  const args = ['--seed', '1', '--total', '100000', '--epochs', '2', '--seconds', '0', '--processes', '1'];
  const { status, stdout } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
  assert.match(stdout, /CUT SHORT: \d+ of 100000 epochs/);
  assert.is(status, 1);
});

// What these found: rosters that were never checked, or let go before, who is told of a later start before it is that far, and
// a pair that was asked for before anything came.
for (const [seed, epochs] of [
  [2, 20],
  [5, 20],
  [7116, 40],
] as const)
  test(`seed ${seed}, whose clients compare, and found false alarms`, async () => {
    const { problems } = await simulate(seed, { epochs, vectors: true });
    assert.equal(problems, []);
  });

test.run();
