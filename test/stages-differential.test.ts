/** The real stages against the slow twin: every page, head, attestation and delivery, also after restarts. */
import fc from 'fast-check';
import { suite } from 'uvu';
import { plans } from './support/plans.js';
import { type Between, SideBySide } from './support/side-by-side.js';
import { runOptions } from './worlds.js';

const betweens = (kind: Between['kind']): fc.Arbitrary<Between> =>
  fc.record({ kind: fc.constant(kind), reuse: fc.boolean(), forget: fc.boolean() });

const differential = suite('stages against the twin');

for (const checkInputs of [true, false]) {
  const checks = checkInputs ? 'every check' : 'no checks in between';
  for (const kind of ['nothing', 'reconnect'] as const) {
    differential(`random epochs, ${checks}, ${kind} in between`, () => {
      fc.assert(
        fc.property(plans, betweens(kind), fc.constantFrom(1 << 30, 2000), (plan, between, bytesInFlight) => {
          new SideBySide(plan, { checkInputs, bytesInFlight, flushEpochs: 2 }).run(plan, between);
        }),
        runOptions(5, 2),
      );
    });
  }
}

for (const flushEpochs of [1, 3, 1000]) {
  differential(`all stages made anew after each epoch, states written every ${flushEpochs} epochs`, () => {
    fc.assert(
      fc.property(plans, betweens('restart'), fc.boolean(), (plan, between, checkInputs) => {
        new SideBySide(plan, { checkInputs, flushEpochs }).run(plan, between);
      }),
      runOptions(5, 2),
    );
  });
}

differential.run();
