/** Runs to report on. */
import type { Outcome } from '../../bench/runs.js';
import { madeRun, notAvailable } from './runs.js';

export const STAGES = { commit: [4, 5, 6, 40], fill: [1, 2, 3] };

/** Three systems of which one is void, and one that is not available. */
export const RUNS: readonly Outcome[] = [
  ...[1, 2, 3].map((repetition) =>
    madeRun({ repetition, perSecond: 98_000 + 1000 * repetition, stages: STAGES }),
  ),
  madeRun({ system: 'nats-ws', perSecond: 61_000, durable: 'in <memory>' }),
  madeRun({
    system: 'central',
    perSecond: 777_777,
    void: ['5 lost', 'no total order, though it is promised'],
  }),
  notAvailable('redis-always', 'redis-server is not installed'),
];
export const SWEPT = [
  ...[1, 2].map((n) => madeRun({ set: [`server.inboxes=${n}`, `server.outboxes=${n}`] })),
  ...[200, 2000].map((rate) =>
    madeRun({ workload: 'light', set: [`load.rate=${rate}`], perSecond: rate, p50Ms: 1 }),
  ),
  ...[1000, 10_000].map((mailboxes) => madeRun({ set: [`mailboxes=${mailboxes}`] })),
  madeRun({ set: ['recipients=10'] }),
];
