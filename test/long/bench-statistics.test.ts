/** The statistics of the bench against what is true, on many samples. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MIN_PAIRS } from '../../bench/statistics.js';
import { outcomes, says, seed, share } from '../support/bench-statistics.js';

for (const pairs of [MIN_PAIRS, 10]) {
  test(`${pairs} pairs: the interval holds the truth about 95 times in 100, and errs upwards half as often`, () => {
    const all = outcomes(pairs, 1, 0.05, 0);
    const held = share(all, ({ effect }) => effect.low <= 1 && 1 <= effect.high);
    assert.ok(held >= 0.87 && held < 1, `${held} with seed ${seed}`);
    assert.ok(share(all, says('slower')) <= 0.06, `with seed ${seed}`);
  });
}

test('a slowdown just at the threshold is hardly ever called beyond it', () => {
  assert.ok(share(outcomes(10, 1.05, 0.03, 0.05), says('slower')) <= 0.06, `with seed ${seed}`);
});

test.run();
