/** Two verifiers of evidence, one verdict: on a collection of cases, on each of them damaged, and on random ones. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CASES, isGuilty, PROPERTIES } from './support/verdict-properties.js';
import { agreed } from './support/verdicts.js';

/** With them it takes some seconds; more are run in test/long/. */
const RUNS = 350;

const test = suite('two verdicts');

test('both say of every case what the document says', () => {
  for (const one of CASES) assert.is(agreed(one, one.name).whom, one.expected, one.name);
});

test('every rule has cases that prove it, and cases that do not', () => {
  for (let rule = 1; rule <= 19; rule++) {
    const own = CASES.filter((one) => one.rule === rule);
    assert.ok(own.some(isGuilty) && own.some((one) => !isGuilty(one)), `rule ${rule}`);
  }
});

test('of another server, or by another root key, it proves nothing', () => {
  for (const one of CASES) {
    const other = Buffer.from(one.serverId).fill(1);
    assert.is(agreed({ ...one, serverId: other }, one.name).whom, 'nothing');
    assert.is(agreed({ ...one, rootKey: other }, one.name).whom, 'nothing');
  }
});

for (const [name, holds] of Object.entries(PROPERTIES)) test(name, () => holds(RUNS));

test.run();
