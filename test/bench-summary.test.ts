/** What a run's numbers come to, by hand-made columns: what counts into rates and latencies, and what makes a run void. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Delivered, Sent } from '../bench/columns.js';
import { Latencies } from '../bench/latencies.js';
import { type Measured, summarise } from '../bench/summary.js';
import { loadWorkload } from '../bench/workload.js';

const START = 5000;
/** Ms from the start: one message every 100 ms for 3 s, acknowledged after 20 ms and delivered after 40. */
const DUES = Array.from({ length: 30 }, (_, i) => 100 * i + 10);
const USED = { cpuSeconds: 2, peakMiB: 50 };

interface Changes {
  readonly delay?: (number: number) => number;
  readonly deliver?: (number: number) => boolean;
  readonly lateness?: number;
  readonly settings?: readonly string[];
}

function measured({
  delay = () => 40,
  deliver = () => true,
  lateness = 1,
  settings = [],
}: Changes = {}): Measured {
  const knobs = ['senders=1', 'mailboxes=2', 'warmupSeconds=1', 'seconds=2'];
  const sent = new Sent(0, 1);
  const delivered = new Delivered();
  const late = new Latencies();
  DUES.forEach((due, i) => {
    const number = sent.add(START + due, [i % 2]);
    sent.acknowledge(number, i + 1, START + due + 20);
    late.record(lateness);
    if (deliver(i)) delivered.add(0, number, i % 2, i + 1, START + due + delay(i));
  });
  return {
    system: 'made up',
    workload: loadWorkload('light', [...knobs, ...settings]),
    repetition: 1,
    promises: { totalOrder: true, durable: 'no', verified: 'no' },
    startedAt: '',
    environment: {} as Measured['environment'],
    start: START,
    sent: [{ senders: [sent.columns()], lateness: late.counts, unsent: 0 }],
    received: [{ delivered: delivered.columns(), altered: 0 }],
    samples: [0, 1, 2, 3].map((second) => ({ cpuSeconds: second / 2, mebibytes: 40 + second })),
    usage: { server: USED, senders: USED, receivers: USED },
    stages: null,
    diskBytes: 0,
    failures: [],
  };
}

const near = (value: number, expected: number) => Math.abs(value / expected - 1) < 0.002;

test('rates are of what happened within the window, seconds from the start of the load', () => {
  const result = summarise(measured());
  assert.equal(result.void, []);
  assert.equal([result.acknowledgedPerSecond, result.deliveredPerSecond], [10, 10]);
  assert.ok(near(result.p50Ms, 40) && near(result.p999Ms, 40) && near(result.acknowledgeP99Ms, 20));
  assert.is(result.serverCpuSecondsPerMillion, (2 / 20) * 1e6);
  assert.equal(
    result.intervals.map(({ second, sent, acknowledged, delivered, serverCpuSeconds, serverMiB }) => {
      return [second, sent, acknowledged, delivered, serverCpuSeconds, serverMiB];
    }),
    [0, 1, 2].map((second) => [second, 10, 10, 10, 0.5, 41 + second]),
  );
  assert.ok(near(result.intervals[1]!.p50Ms, 40));
});

test('a delivery counts with its latency however late it came, if its message was due within the window', () => {
  // The last two were due in the window and came long after it; the first was due in the warm-up.
  const result = summarise(measured({ delay: (i) => (i >= 28 || i === 0 ? 10_000 : 40) }));
  assert.ok(near(result.p999Ms, 10_000));
  assert.is(result.deliveredPerSecond, 9);
  assert.ok(near(summarise(measured({ delay: (i) => (i === 0 ? 900 : 40) })).p999Ms, 40));
});

test('mailboxes that are read afterwards say nothing of latency', () => {
  const settings = ['online=1'];
  const result = summarise(measured({ settings, delay: (i) => (i % 2 === 0 ? 40 : 60_000) }));
  assert.ok(near(result.p999Ms, 40));
  assert.is(result.deliveredPerSecond, 5);
  assert.is(result.audit.lost, 0);
});

test('what waited is timed from the moment when its readers came', () => {
  const waiting = measured({ settings: ['waiting=10'] });
  const result = summarise({ ...waiting, start: START + 1000 });
  // The last that was due before that came 40 ms after 910; so all had come already.
  assert.is(result.returnSeconds, 0);
  const slow = summarise({
    ...measured({ settings: ['waiting=10'], delay: () => 1500 }),
    start: START + 1000,
  });
  assert.ok(near(slow.returnSeconds!, 1.41));
  assert.is(summarise(measured()).returnSeconds, null);
});

test('each thing that makes a run void is told', () => {
  const why = (change: Partial<Measured>) => summarise({ ...measured(), ...change }).void.join('; ');
  const sound = measured();
  assert.match(summarise(measured({ deliver: (i) => i !== 29 })).void.join(), /^1 lost$/);
  assert.match(
    summarise(measured({ lateness: 11 })).void.join(),
    /the generator was late: 11\.\d+ ms .* over 10/,
  );
  assert.match(
    summarise(measured({ deliver: () => false })).void.join('; '),
    /nothing of the window was delivered; nothing was delivered within the window/,
  );
  assert.match(why({ received: [{ ...sound.received[0]!, altered: 2 }] }), /2 altered/);
  assert.match(why({ failures: [new Error('senders 1: gone')] }), /^senders 1: gone$/);
  const forged = Object.assign(new Error('receivers 1: log'), { name: 'VerificationError' });
  assert.match(why({ failures: [forged] }), /^1 unverified; receivers 1: log$/);
  const open = new Sent(0, 1);
  open.add(START, [0]);
  assert.match(why({ sent: [{ ...sound.sent[0]!, senders: [open.columns()] }] }), /1 not acknowledged/);
});

test.run();
