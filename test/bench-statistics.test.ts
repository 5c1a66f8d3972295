/** The comparison's statistics on samples whose truth is known. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { randomFrom } from '../bench/random.js';
import { effectOf, MIN_PAIRS, median, normalTail, spreadOf, studentQuantile } from '../bench/statistics.js';
import { noiseFrom, outcomes, runsOf, says, seed, share } from './support/bench-statistics.js';

test('the quantiles are those of the tables', () => {
  for (const [freedom, quantile] of [
    [4, 2.776],
    [9, 2.262],
    [29, 2.045],
  ] as const)
    assert.ok(Math.abs(studentQuantile(freedom) / quantile - 1) < 0.003, `${freedom}`);
  assert.ok(Math.abs(normalTail(1.959964) - 0.025) < 1e-6);
  assert.ok(Math.abs(normalTail(3) - 0.0013499) < 1e-6);
});

test('median and spread', () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 2, 3]), 2.5);
  assert.equal(spreadOf([5, 7, 6, 1]), { median: 5.5, min: 1, max: 7 });
});

test('no difference is seen as such when the runs are quiet enough', () => {
  const all = outcomes(10, 1, 0.02, 0.05);
  assert.ok(share(all, says('not slower')) > 0.95, `with seed ${seed}`);
  assert.is(share(all, says('slower')), 0);
});

test('a real 10 % is found, whichever spell the machine has', () => {
  assert.ok(share(outcomes(10, 1.1, 0.02, 0.05), says('slower')) > 0.95, `with seed ${seed}`);
  const [first] = outcomes(10, 1.1, 0.001, 0.05);
  assert.ok(Math.abs(first!.effect.ratio - 1.1) < 0.005);
});

test('too few runs cannot tell, whatever they say', () => {
  for (const truth of [1, 2]) {
    const all = outcomes(MIN_PAIRS - 1, truth, 0.001, 0.05);
    assert.is(share(all, says('cannot tell')), 1);
    assert.ok(Math.abs(all[0]!.effect.ratio / truth - 1) < 0.01);
  }
});

test('runs that are too noisy cannot tell', () => {
  const all = outcomes(MIN_PAIRS, 1, 0.4, 0.05);
  assert.ok(share(all, says('cannot tell')) > 0.8, `with seed ${seed}`);
});

test('the same seed draws the same interval, another one about the same', () => {
  const [a, b] = runsOf(noiseFrom(randomFrom(seed)), 8, 1.1, 0.05);
  assert.equal(effectOf(a, b, 7), effectOf(a, b, 7));
  assert.ok(Math.abs(effectOf(a, b, 7).low / effectOf(a, b, 8).low - 1) < 0.01);
});

test('what has no ratio is refused', () => {
  assert.throws(() => effectOf([], [], 1), /above 0/);
  assert.throws(() => effectOf([1, 0], [1, 1], 1), /above 0/);
  assert.throws(() => effectOf([1, Number.NaN], [1, 1], 1), /above 0/);
});

test.run();
