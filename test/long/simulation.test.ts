/** Proof that the simulator finds things: every planted mutant. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MUTANTS } from '../simulation/mutants.js';
import { huntAll } from '../simulation/mutate.js';

const test = suite('simulation, planted mutants');

test('every planted mutant is found', () => {
  const survivors = [...huntAll(MUTANTS)].filter(({ outcome }) => outcome.seeds === null);
  assert.equal(
    survivors.map(({ mutant }) => mutant.name),
    [],
  );
});

test.run();
