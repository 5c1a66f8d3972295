/**
 * What an outbox keeps for a mailbox, with plain arrays for neighbours: quotas, what is let go after the
 * retention, long acknowledgments and backlogs in steps. Reference counts are held against the chains.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { address } from '../src/actors/messages.js';
import type { Outbox } from '../src/actors/outbox.js';
import { TABLE } from '../src/actors/store-keys.js';
import { WAYMARK_LINKS } from '../src/actors/waymarks.js';
import { encodeAck } from '../src/protocol/index.js';
import { behind, MANY, Server } from './support/quota.js';
import { runOptions } from './worlds.js';

const quota = (unacknowledgedEpochs: number, unacknowledgedBytes = MANY) => ({
  unacknowledgedEpochs,
  unacknowledgedBytes,
});

const test = suite('quotas');

test('a mailbox is full at its quota of links, and has room when its owner acknowledges', () => {
  const server = new Server(3, { quota: quota(3) });
  server.epoch(0, [1]);
  server.epoch(0, [1, 2]);
  assert.is(server.full(), '..');
  const third = server.epoch(0, [1]);
  assert.is(server.full(), '.r.');
  // What was under way comes in all the same.
  server.epoch(0, [1]);
  server.open(1);
  assert.is(server.take(1).length, 4);
  server.acknowledge(1, third);
  assert.is(server.full(), '..');
  server.audit();
});

test('a mailbox is full at its quota of bytes', () => {
  const server = new Server(2, { quota: quota(MANY, 1000) });
  server.epoch(0, [1], 400);
  assert.is(server.full(), '.');
  const second = server.epoch(0, [1], 400);
  assert.is(server.full(), '.r');
  server.open(1, second);
  assert.is(server.full(), '.');
});

for (const flushEpochs of [1, 100_000]) {
  test(`a restart knows who is full, states written every ${flushEpochs} epochs`, () => {
    const server = new Server(40, { quota: quota(2), flushEpochs });
    for (let i = 0; i < 3; i++) server.epoch(0, [7, 9]);
    for (let i = 10; i < 30; i++) server.epoch(i, [i + 1]);
    const before = server.full();
    assert.is([...before].filter((letter) => letter === 'r').length, 2);
    server.store.reads = {};
    server.restart();
    assert.is(server.full(), before);
    if (flushEpochs === 1) assert.ok((server.store.reads['M'] ?? 0) <= 6, 'looks at those who are full');
    server.open(7, server.lastEpoch - 20 > 0 ? server.state(7).chain.lastEpoch : 0);
    server.epoch(1, [2]);
    server.epoch(1, [2]);
    server.restart();
    assert.is([...server.full()].filter((letter) => letter === 'r').length, flushEpochs === 1 ? 2 : 3);
    server.audit();
  });
}

test('who only sends is never full and never keeps more than the retention', () => {
  const server = new Server(3, { quota: quota(2), retentionEpochs: 20 });
  const first = server.epoch(0, [1]);
  server.open(1);
  for (let i = 0; i < 100; i++) server.acknowledge(1, server.epoch(0, [1]));
  assert.is(server.full(), '..');
  server.pass(6);
  server.audit();
  assert.ok(server.epochsIn(TABLE.links).length <= 30, `${server.epochsIn(TABLE.links).length} epochs`);
  assert.ok(server.epochsIn(TABLE.attestations).length <= 30);
  // Later it comes, and is told how far its messages are gone.
  const opened = server.open(0, first)!;
  assert.is(opened.error, null);
  assert.ok(opened.lastEpoch > first);
  assert.is(server.take(0).length, server.state(0).chain.own - server.state(0).acknowledged.own);
});

test('what was received stays, and the messages sent behind it; then their sender may send no more', () => {
  const server = new Server(3, { quota: quota(5), retentionEpochs: 10 });
  const received = server.epoch(0, [1]);
  server.open(0);
  server.open(2);
  for (let i = 0; i < 14; i++) server.acknowledge(2, server.epoch(1, [2]));
  server.acknowledge(0, received);
  assert.is(server.full(), '..');
  server.acknowledge(2, server.epoch(1, [2]));
  assert.is(server.full(), '.s.');
  server.restart();
  assert.is(server.full(), '.s.');
  assert.is(server.state(1).acknowledged.lastEpoch, 0);
  server.audit();
  // It acknowledges what it received and goes: now its own messages may go, in the rounds that follow.
  server.open(1, received);
  server.leave(1);
  server.pass(12);
  assert.is(server.full(), '..');
  assert.is(server.state(1).acknowledged.lastEpoch, server.state(1).chain.lastEpoch);
  server.pass(20);
  assert.ok(server.epochsIn(TABLE.links).length <= 1, 'what was passed over is swept without a restart');
});

test('a restart, over which numbers leap, lets go nothing that is counted in memory alone', () => {
  const server = new Server(8, { retentionEpochs: 2, flushEpochs: 3 }, 2);
  const at = (outbox: number) => [...Array(8).keys()].filter((i) => server.outboxOf(i) === outbox);
  const [[sender], [reader, other]] = [at(0), at(1)] as [[number], [number, number]];
  server.open(sender);
  server.open(reader);
  // The reader's outbox writes what has changed with epochs 3 and 6, the sender's with epoch 4.
  for (let i = 0; i < 3; i++) server.epoch(other, [reader]);
  server.epoch(sender, [reader]);
  const sent = server.epoch(sender, [reader]);
  server.acknowledge(reader, sent);
  server.epoch(other, [reader]);
  assert.not(server.epochsIn(TABLE.bodies).includes(sent), 'the reader has it');
  server.restart();
  assert.ok(server.epoch(other, [reader]) - sent > 900);
  server.open(sender);
  server.acknowledge(sender, server.epoch(sender, [reader]));
  assert.is(server.state(sender).acknowledged.lastEpoch, server.lastEpoch);
  server.pass(30);
  assert.not(server.epochsIn(TABLE.links).includes(sent), 'once it is counted in the store it goes as ever');
});

test('nothing is let go while its mailbox is read', () => {
  const server = new Server(2, { retentionEpochs: 5 });
  server.open(0);
  server.open(1);
  const first = server.epoch(0, [1]);
  server.pass(20);
  assert.is(server.state(0).acknowledged.lastEpoch, 0);
  server.leave(0);
  server.pass(5);
  assert.is(server.state(0).acknowledged.lastEpoch, first);
});

test('a sweep reads no values', () => {
  const server = new Server(2, { retentionEpochs: 5 });
  server.open(1);
  server.open(0);
  const last = server.epoch(0, [1]);
  server.acknowledge(1, last);
  server.acknowledge(0, last);
  server.epoch(1, [1]);
  server.store.reads = {};
  server.pass(30);
  assert.is(server.epochsIn(TABLE.links).length, 1);
  for (const table of 'KBEA') assert.is(server.store.reads[table], undefined, table);
});

test('an epoch in which many have only sent is read once to let all of them go', () => {
  const server = new Server(40, { retentionEpochs: 70 });
  server.open(0);
  server.acknowledge(
    0,
    server.together(
      Array.from({ length: 39 }, (_, i) => i + 1),
      [0],
    ),
  );
  server.pass(69);
  server.store.reads = {};
  server.pass(6);
  assert.is(server.store.reads['K'], 1);
  assert.is(server.state(39).acknowledged.own, 1);
  server.audit();
});

test('acknowledgments of links that are not there: one look at the store per slot and frame, one answer', () => {
  const server = new Server(3, {});
  const first = server.epoch(0, [1]);
  const between = server.epoch(0, [2]);
  server.pass(70);
  server.epoch(0, [1]);
  server.open(1);
  server.take(1);
  server.store.reads = {};
  const never = Array.from({ length: 1000 }, () => ({ slot: 0, epoch: between }));
  const frame = encodeAck([...never, { slot: 0, epoch: first }]);
  server.pipeline.tell(address('outbox'), { type: 'ack', connection: 1, frame });
  assert.ok(server.store.reads['K']! <= 2, `${server.store.reads['K']} looks`);
  assert.is(server.pipeline.takeGateway('ack-refused').length, 1);
});

test('a backlog comes whole and in order, a bounded piece in each step', () => {
  const { server, epochs } = behind(300);
  server.pipeline.steps = 1;
  server.store.reads = {};
  server.open(1);
  const reads = server.store.reads['K']!;
  assert.ok(reads <= 2 * WAYMARK_LINKS + 64, `${reads} epochs looked at in the first step`);
  const subscription = server.pipeline
    .stage<Outbox>('outbox', 0)
    ['deliverer']['subscriptions'].get(server.id(1).toString('latin1'))!;
  assert.ok(subscription.listed <= WAYMARK_LINKS);
  const frames = server.pipeline.gateway.filter(({ type }) => type === 'frames').length;
  assert.ok(frames < 70, `${frames} frames in the first step`);
  server.pipeline.steps = MANY;
  assert.equal(server.take(1), epochs);
  assert.ok(server.store.reads['K']! <= 3 * 300, `${server.store.reads['K']} epochs looked at in all`);
});

test('an acknowledgment beyond what is known is refused, a long one under way or not', () => {
  const { server, epochs } = behind(200);
  server.open(1);
  server.take(1);
  server.pipeline.steps = 0;
  server.acknowledge(1, epochs.at(-1)!);
  server.acknowledge(1, epochs.at(-1)! + 1);
  server.acknowledge(1, 3);
  assert.is(server.pipeline.takeGateway('ack-refused').length, 1);
});

type Act = readonly [what: number, who: number, more: number];
test('whatever happens in whatever order, nothing unacknowledged goes and nothing is counted twice', () => {
  const act: fc.Arbitrary<Act> = fc.tuple(fc.nat(9), fc.nat(3), fc.nat(200));
  fc.assert(
    fc.property(
      fc.array(act, { minLength: 10, maxLength: 80 }),
      fc.integer({ min: 1, max: 5 }),
      (acts, flushEpochs) => {
        const server = new Server(4, { flushEpochs, quota: quota(3, 500), retentionEpochs: 6 });
        for (const [what, who, more] of acts) {
          if (what < 4)
            server.epoch(
              who,
              [more % 4, (more >> 2) % 4].filter((i, at, all) => all.indexOf(i) === at),
            );
          else if (what === 4) for (let i = 0; i < more % 100; i++) server.epoch(who, [(who + 1) % 4]);
          else if (what === 5) server.open(who);
          else if (what === 6) server.leave(who);
          else if (what === 7)
            server.acknowledge(who, Math.max(0, server.state(who).chain.lastEpoch - (more % 3)));
          else if (what === 8) server.restart();
          else server.pipeline.steps = more % 3 === 0 ? MANY : more % 3;
          server.audit();
        }
        server.pipeline.steps = MANY;
        server.pass(1);
        server.audit();
      },
    ),
    runOptions(4, 1),
  );
});

test.run();
