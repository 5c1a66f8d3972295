/** Random servers and epochs for the real stages and the twin. */
import fc from 'fast-check';
import type { EpochPlan, FramePlan, Plan } from './side-by-side.js';

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
export const plans: fc.Arbitrary<Plan> = fc.record({
  inboxes: fc.integer({ min: 1, max: 3 }),
  outboxes: fc.integer({ min: 1, max: 3 }),
  mailboxes: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 })),
  moved: fc.array(fc.nat(39), { maxLength: 3 }),
  epochs: fc.array(epoch, { minLength: 1, maxLength: 5 }),
});
