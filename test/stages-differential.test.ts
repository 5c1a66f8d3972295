/** The real stages against the slow twin: every page, head, attestation and delivery, also after restarts. */
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  type Between,
  type EpochPlan,
  type FramePlan,
  type Plan,
  SideBySide,
} from './support/side-by-side.js';
import { runOptions } from './worlds.js';

const bundle = fc.record({
  recipients: fc.oneof(
    { weight: 6, arbitrary: fc.uniqueArray(fc.nat(39), { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.uniqueArray(fc.nat(39), { minLength: 1, maxLength: 40 }) },
  ),
  body: fc.oneof(fc.constant(0), fc.nat(300)),
  envelope: fc.oneof(fc.constant(0), fc.nat(80)),
});
const frame: fc.Arbitrary<FramePlan> = fc.record({
  sender: fc.nat(39),
  bundles: fc.array(bundle, { minLength: 1, maxLength: 5 }),
});
// Two mailboxes and many frames make more than 64 entries in each.
const frames = fc.oneof(
  { weight: 5, arbitrary: fc.array(frame, { maxLength: 6 }) },
  { weight: 1, arbitrary: fc.array(frame, { minLength: 30, maxLength: 60 }) },
);
const epoch: fc.Arbitrary<EpochPlan> = fc.record({
  frames,
  early: fc.nat(3),
  asked: fc.array(fc.nat(39), { maxLength: 4 }),
  acks: fc.array(fc.nat(39), { maxLength: 6 }),
});
const plans: fc.Arbitrary<Plan> = fc.record({
  inboxes: fc.integer({ min: 1, max: 3 }),
  outboxes: fc.integer({ min: 1, max: 3 }),
  mailboxes: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 })),
  moved: fc.array(fc.nat(39), { maxLength: 3 }),
  epochs: fc.array(epoch, { minLength: 1, maxLength: 5 }),
});

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
        runOptions(5),
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
      runOptions(5),
    );
  });
}

differential.run();
