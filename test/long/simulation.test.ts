/**
 * The simulator for longer, and proof that it finds things: SIMULATION_SECONDS in the environment says how long
 * fresh seeds are run, 60 if not given; then every planted mutant must be found.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MUTANTS } from '../simulation/mutants.js';
import { huntAll } from '../simulation/mutate.js';
import { simulateTwice } from '../simulation/report.js';

const SECONDS = Number(process.env['SIMULATION_SECONDS'] ?? 60);
const EPOCHS = 30;

const test = suite('simulation, longer');

test('fresh seeds', async () => {
  const first = Number(process.env['SEED'] ?? Date.now() % 2 ** 32);
  console.log(`seeds from ${first}`);
  const end = performance.now() + SECONDS * 1000;
  for (let seed = first; performance.now() < end; seed++) {
    const { failure } = await simulateTwice(seed, { epochs: EPOCHS });
    assert.is(failure, null, failure ?? '');
  }
});

test('every planted mutant is found', () => {
  const survivors = [...huntAll(MUTANTS)].filter(({ outcome }) => outcome.seeds === null);
  assert.equal(
    survivors.map(({ mutant }) => mutant.name),
    [],
  );
});

test.run();
