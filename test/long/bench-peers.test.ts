/** Peers of the bench: each is held to the same check as every system. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NATS } from '../../bench/systems/nats.js';
import { REDIS } from '../../bench/systems/redis.js';
import { loadWorkload } from '../../bench/workload.js';
import { directory } from '../client-helpers.js';
import { checkSystem } from '../support/bench-system.js';

const folder = directory('peers');
const peers = suite('peers');

for (const system of [...REDIS, ...NATS]) {
  const why = await system.missing(loadWorkload('throughput'));
  if (why !== null && !why.includes('not installed')) {
    // No test is skipped: there is no such system here.
    console.log(`N/A: ${system.name}: ${why}`);
    peers(`${system.name} does not exist here, and says why`, () => {
      assert.match(system.name, /^nats-\w+-always$/);
      assert.match(
        why,
        /^nats-server 2\.\d\.\d+ cannot sync before it answers: sync_interval came with 2\.10$/,
      );
    });
    continue;
  }
  const isSkipped = why !== null && !process.env['CI'];
  if (isSkipped) console.log(`SKIPPED: ${system.name}: ${why}`);
  const test = isSkipped ? peers.skip : peers;
  test(`${system.name} does what every system does`, async () => {
    const own = join(folder, system.name);
    mkdirSync(own);
    await checkSystem(system, own, { messages: 300, kill: system.name !== 'redis-everysec' });
  });
}

peers.run();
