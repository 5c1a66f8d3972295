/** Two verifiers of evidence, one verdict: on a collection of cases, on each of them damaged, and on random ones. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CASES, isGuilty, PROPERTIES } from './support/verdict-properties.js';
import { agreed } from './support/verdicts.js';
import { FIRST, STRIDE } from './worlds.js';

/** A verdict takes some 10 ms, for the keys of a manifest are checked in each: more are run in test/long/. */
const RUNS = 40;

const test = suite('two verdicts');

test('both say of every case what the document says', () => {
  // An eighth of them in `npm test`; with RUNS=4 all.
  for (const one of CASES.filter((_, i) => i % STRIDE === FIRST))
    assert.is(agreed(one, one.name).whom, one.expected, one.name);
});

test('every rule has cases that prove it, and cases that do not', () => {
  for (let rule = 1; rule <= 20; rule++) {
    const own = CASES.filter((one) => one.rule === rule);
    assert.ok(own.some(isGuilty) && own.some((one) => !isGuilty(one)), `rule ${rule}`);
  }
});

for (const [name, holds] of Object.entries(PROPERTIES)) test(name, () => holds(RUNS));

test.run();
