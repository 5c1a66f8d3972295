/** Short runs of the simulator: every seed that ever found something, and a few that nobody has tried. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { appendRecord, noTotal, readRecord, simulateMany } from './simulation/many.js';
import { type Kept, keep, simulateTwice } from './simulation/report.js';
import { simulate } from './simulation/simulation.js';

interface KnownSeed {
  readonly seed: number;
  readonly epochs: number;
  readonly found: string;
}

const SEEDS = new URL('../../test/simulation/seeds.json', import.meta.url);
const known = JSON.parse(readFileSync(SEEDS, 'utf8')) as KnownSeed[];
const FRESH = 1;
const EPOCHS = 8;

const test = suite('simulation');

for (const { seed, epochs, found } of known) {
  test(`seed ${seed}, which has found that ${found}`, async () => {
    const { problems } = await simulate(seed, { epochs });
    assert.equal(problems, []);
  });
}

const first = Number(process.env['SEED'] ?? Date.now() % 2 ** 32);
for (let seed = first; seed < first + FRESH; seed++) {
  test(`seed ${seed}, fresh, twice`, async () => {
    const { failure } = await simulateTwice(seed, { epochs: EPOCHS });
    assert.is(failure, null, failure ?? '');
  });
  test(`seed ${seed}, whose clients compare`, async () => {
    const { problems, compared } = await simulate(seed, { epochs: EPOCHS, vectors: true });
    assert.equal(problems, []);
    assert.ok(compared['same']! > 0, `no two clients ever had the same: ${JSON.stringify(compared)}`);
  });
}

test('an actor that lies is named, and nobody else', async () => {
  const { problems, counts } = await simulate(14, { epochs: 12 });
  assert.equal(problems, []);
  assert.ok(counts.actorLies > 0);
  assert.is(counts.named, 1);
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
    const [total, options] = [noTotal(), { epochs: 2, processes: 2, isEnough: () => false }];
    const done = (kept: Kept) => appendRecord(file, kept);
    assert.is(await simulateMany({ ...options, first: 1, seeds: 2, done }, total), null);
    // The end of the machine in the middle of a line.
    appendFileSync(file, '{"seed":3,"as');
    const kept = readRecord(file).sort((a, b) => a.seed - b.seed);
    assert.equal(kept, [await keep(1, options), await keep(2, options)]);
    assert.is(total.epochs, kept[0]!.counts.epochs + kept[1]!.counts.epochs);
    appendRecord(file, { ...kept[0]!, seed: 3 });
    assert.is(readRecord(file).length, 3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
// What these found: rosters that were never checked, or let go before, and who is told of a later start before it is that far.
for (const seed of [2, 5])
  test(`seed ${seed}, whose clients compare, and found false alarms`, async () => {
    const { problems } = await simulate(seed, { epochs: 20, vectors: true });
    assert.equal(problems, []);
  });

test('another seed is another run', async () => {
  const [one, other] = [await simulate(1, { epochs: 2 }), await simulate(2, { epochs: 2 })];
  assert.is.not(one.digest, other.digest);
});

test.run();
