/** The search for the highest rate, with systems that hold up to a known one. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sloFrom, whyNot } from '../bench/find-max.js';
import type { RunResult } from '../bench/result.js';
import { searchMax } from '../bench/search.js';
import { loadWorkload } from '../bench/workload.js';

test('the highest rate that holds is found from below and from above, in few probes', async () => {
  for (const first of [1, 1000, 1_000_000])
    for (const most of [1, 37, 1000, 123_456]) {
      const probes: number[] = [];
      const found = await searchMax(first, 0.05, async (rate) => {
        probes.push(rate);
        return rate <= most;
      });
      assert.ok(found! <= most && most <= found! * 1.05 + 1, `${found} of ${most} from ${first}`);
      assert.ok(probes.length <= 28, `${probes.length} probes`);
      assert.is(new Set(probes).size, probes.length, 'none twice');
    }
});

test('where no rate holds there is none, and where every rate holds the search ends', async () => {
  assert.is(await searchMax(1000, 0.05, async () => false), null);
  assert.ok((await searchMax(1000, 0.05, async () => true))! > 1e7);
});

test('a latency is asked for in one way', () => {
  assert.equal(sloFrom('p999<2.5ms'), { name: 'p999Ms', ms: 2.5, text: 'p999<2.5ms' });
  for (const text of ['', 'p95<5ms', 'p99<5', 'p99>5ms', 'p99<5 ms', ' p99<5ms'])
    assert.throws(() => sloFrom(text), /--slo: expected/);
});

test('a rate is sustained only when all holds', () => {
  const sustained = {
    config: loadWorkload('fanout'),
    seconds: 10,
    acknowledgedPerSecond: 1000,
    deliveredPerSecond: 10_000,
    p99Ms: 5,
    generator: { latenessP99Ms: 1, unsent: 0 },
    void: [],
  } as unknown as RunResult;
  const slo = sloFrom('p99<10ms');
  const why = (change: Partial<RunResult>) => whyNot({ ...sustained, ...change }, 1000, slo).join();
  assert.is(why({}), '');
  assert.is(why({ acknowledgedPerSecond: 960 }), '', 'chance');
  assert.match(why({ acknowledgedPerSecond: 900 }), /900 acknowledged/);
  assert.match(why({ deliveredPerSecond: 9000 }), /9000 delivered/);
  assert.match(why({ p99Ms: 10 }), /10 ms, not p99<10ms/);
  assert.match(why({ p99Ms: Number.NaN }), /not p99<10ms/);
  assert.match(why({ generator: { latenessP99Ms: 1, unsent: 3 } }), /3 could not be sent/);
  assert.match(why({ void: ['1 lost'] }), /1 lost/);
  const offline = { ...loadWorkload('fanout'), online: 10 };
  assert.is(why({ config: offline, deliveredPerSecond: 100 }), '', 'nobody reads most of them');
});

test.run();
