/** A socket's mailboxes that part over a move: what the application has not taken of each, and how far the log is known. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectMany } from '../src/client/index.js';
import type { Member } from '../src/client/member.js';
import { changeActors } from '../src/server/resizing.js';
import { clientOf, keyOf } from './client-helpers.js';
import { until } from './support/cosigning.js';
import { house } from './support/rotation-client.js';

const test = suite('parted sessions');

/** So many that some of them part. */
const KEYS = Array.from({ length: 40 }, (_, i) => keyOf(`parted ${i}`));
const BYTES = 300;

const untakenOf = (members: readonly Member[]) => members.reduce((sum, { weight }) => sum + weight, 0);

test('what was not taken before mailboxes part counts until it is, once, and the log stays as proven as it was', async () => {
  // No epoch but those of messages: then nothing new is proven on a new socket.
  const home = await house({ outboxes: '1', 'epoch-heartbeat-ms': '600000' });
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const untaken = new Map<number, number>();
  const gateway = await connectMany({
    url: home.server.url,
    keys: KEYS,
    backoffFirstMs: 20,
    onMessages: async (mailbox, messages) => {
      const bytes = messages.reduce((sum, { weight }) => sum + weight, 0);
      untaken.set(mailbox, (untaken.get(mailbox) ?? 0) + bytes);
      await held;
    },
  });
  const sender = await clientOf(home.server, 'parting');
  await sender.send({ to: KEYS.map((_, i) => gateway.id(i)), body: 'x'.repeat(BYTES) });
  await until('all have come', () => untaken.size === KEYS.length);
  const expected = [...untaken.values()].reduce((sum, bytes) => sum + bytes);
  assert.ok(expected >= KEYS.length * BYTES);
  assert.is(gateway.outboxes.length, 1);
  assert.is(gateway.outboxes[0]!.weight, expected);
  await until('the log is known', () => gateway.checkpoint.size > 0);
  const { size } = gateway.checkpoint;

  const caughtUp = new Set<number>();
  gateway.on('end-of-backlog', ({ mailbox }) => caughtUp.add(mailbox));
  await home.again(() => changeActors(home.data, { inboxes: 1, outboxes: 3 }));
  await until('all have caught up', () => caughtUp.size === KEYS.length);
  assert.is(gateway.outboxes.length, 3);
  for (const { members, weight } of gateway.outboxes) {
    assert.is(weight, untakenOf(members));
    for (const { index, weight } of members) assert.is(weight, untaken.get(index));
  }
  for (const { proven } of gateway.outboxes)
    assert.ok(proven.size >= size, `${proven.size}, and was ${size}`);

  release();
  await until('all is taken', () => gateway.outboxes.every(({ weight }) => weight <= 0));
  for (const { members, weight } of gateway.outboxes) {
    assert.is(weight, 0);
    for (const member of members) assert.is(member.weight, 0);
  }
  await gateway.close();
  await sender.close();
  await home.server.stop();
});

test.run();
