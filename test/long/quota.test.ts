/** Long acknowledgments, backlogs and sweeps of many epochs, with arrays for neighbours. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { address } from '../../src/actors/messages.js';
import { Sweep } from '../../src/actors/retention.js';
import { epochKey, TABLE } from '../../src/actors/store-keys.js';
import { FRAME, SESSION_KIND } from '../../src/protocol/index.js';
import { behind, MANY } from '../support/quota.js';
import { MemoryStore } from '../support/store.js';
import { named } from '../worlds.js';

const test = suite('quotas');

test('a sweep passes over epochs of others no faster than over its own, and leaves none out', () => {
  const store = new MemoryStore();
  const others = Array.from({ length: 200 }, (_, i) => ({ epoch: i + 1, outbox: 0 }));
  const mine = [150, 3, 152, 2].map((epoch) => ({ epoch, outbox: 1 }));
  store.write(
    [...others, ...mine].map(({ epoch, outbox }) => ({
      key: epochKey(TABLE.references, epoch, outbox),
      value: Uint8Array.of(1),
    })),
  );
  const sweep = new Sweep(store, TABLE.references, 0);
  let looked = 0;
  const takes = (key: Uint8Array) => {
    looked++;
    return key[10] === 1;
  };
  const found: number[] = [];
  for (let commit = 0; commit < 50; commit++) {
    found.push(...sweep.next(200, takes));
    assert.ok(looked <= 20, `${looked} keys in one commit`);
    looked = 0;
  }
  assert.equal(
    [...new Set(found)].sort((a, b) => a - b),
    [2, 3, 150, 152],
  );
});

test('a backlog is proven under one checkpoint, while others go on', () => {
  const { server } = behind(200, { bytesInFlight: 4000 });
  server.open(1);
  let checkpoints = 0;
  let deliveries = 0;
  while (deliveries < 200) {
    server.epoch(0, [0]);
    const frames = server.pipeline.takeGateway('frames').filter(({ connection }) => connection === 1);
    const all = frames.flatMap((message) => message.frames);
    checkpoints += all.filter((frame) => frame[0] === FRAME.checkpoint).length;
    deliveries += all.filter((frame) => frame[0] === FRAME.deliver).length;
    const bytes = all.reduce((sum, frame) => sum + frame.length, 0);
    server.pipeline.tell(address('outbox'), { type: 'drained', connection: 1, bytes });
  }
  assert.ok(checkpoints <= 2, `${checkpoints} checkpoints`);
});

test('a long acknowledgment goes in steps, and a session waits for it; a crash in between loses nothing', () => {
  const { server, epochs } = behind(400, { flushEpochs: 1 });
  const last = epochs.at(-1)!;
  server.pipeline.steps = 0;
  assert.is(server.open(1, last), undefined);
  server.pipeline.steps = 2;
  assert.is(server.open(1, last), undefined);
  server.audit();
  const reached = server.state(1).acknowledged.lastEpoch;
  assert.ok(reached > 0 && reached < last, `through ${reached}`);
  server.epoch(0, [0]);
  server.restart();
  server.audit();
  assert.is(server.state(1).acknowledged.lastEpoch, reached);
  assert.is(server.open(1, last)!.lastEpoch, last);
  server.epoch(0, [0]);
  server.epoch(0, [0]);
  server.audit();
  assert.ok(server.epochsIn(TABLE.bodies).every((epoch) => epoch > last));
  assert.equal(
    [...server.store.keys(Uint8Array.of(TABLE.waymark), Uint8Array.of(TABLE.waymark + 1))].length <= 8,
    true,
  );
});

test('an older session that still reads is over before a newer one acknowledges a long way', () => {
  const { server, epochs } = behind(400, { flushEpochs: 1, bytesInFlight: 500 });
  server.open(1);
  server.pipeline.steps = 2;
  const acknowledged = epochs.at(-1)!;
  const seed = named('seed 1');
  const newer = {
    connection: 9,
    slot: 0,
    mailbox: server.id(1),
    kind: SESSION_KIND.outbox,
    logSize: 0,
    seed,
  };
  server.pipeline.tell(address('outbox'), { type: 'open-mailbox', ...newer, acknowledged });
  assert.is(server.pipeline.takeGateway('displaced').at(-1)?.connection, 1);
  // Bodies of what is acknowledged by now are deleted; the older socket has room again.
  server.epoch(0, [0]);
  server.epoch(0, [0]);
  server.pipeline.steps = MANY;
  server.take(1);
  assert.is(server.state(1).acknowledged.lastEpoch, acknowledged);
  assert.is(server.pipeline.takeGateway('mailbox-opened').at(-1)?.lastEpoch, acknowledged);
});

test.run();
