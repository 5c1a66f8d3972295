/** Full mailboxes and backlogs on a real server, with real clients. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client } from '../../src/client/index.js';
import type { CountersignError } from '../../src/protocol/index.js';
import { toHex } from '../../src/protocol/index.js';
import { clientOf, directory, read, serverAt } from '../client-helpers.js';
import { backlog } from '../support/backlog.js';
import { RUNS } from '../worlds.js';

const test = suite('quotas on a server');

const outcome = (sending: Promise<unknown>) =>
  sending.then(
    () => 'sent',
    ({ code }: CountersignError) => code,
  );

/** Sends one after another until one is refused; returns how many were taken and the refusal. */
async function fill(from: Client, to: Client, first: number) {
  for (let i = first; ; i++) {
    try {
      await from.send({ to: to.id, body: `message ${i}` });
    } catch (error) {
      return { next: i, error: error as CountersignError };
    }
    assert.ok(i < first + 10, 'the quota holds');
  }
}

test('a full mailbox is refused before anything is ordered, also after a restart, until it is read', async () => {
  const data = directory('full');
  const flags = { 'limits-unacknowledged-epochs': '3' };
  let server = await serverAt(data, flags);
  const { port } = new URL(server.url);
  const [anna, cleo] = await Promise.all([clientOf(server, 'anna'), clientOf(server, 'cleo')]);
  let bob = await clientOf(server, 'bob');
  await bob.close();
  const { next, error } = await fill(anna, bob, 0);
  assert.is(next, 3);
  assert.equal([error.code, error.temporary, error.mailbox], ['mailbox-full', true, toHex(bob.id)]);
  const recipients = [bob.id, cleo.id, anna.id, [bob.id, cleo.id]];
  const many = Array.from({ length: 40 }, (_, i) => anna.send({ to: recipients[i % 4]!, body: `${i}` }));
  const outcomes = await Promise.all(many.map(outcome));
  const expected = many.map((_, i) => (i % 4 === 0 || i % 4 === 3 ? 'mailbox-full' : 'sent'));
  assert.equal(outcomes, expected);
  await server.stop();
  server = await serverAt(data, { ...flags, port });
  assert.is(await outcome(anna.send({ to: bob.id, body: 'no' })), 'mailbox-full');
  bob = await clientOf(server, 'bob');
  assert.equal(await read(bob, 3), ['message 0', 'message 1', 'message 2']);
  let again = await outcome(anna.send({ to: bob.id, body: 'after' }));
  for (let tries = 0; again !== 'sent' && tries < 100; tries++) {
    assert.is(again, 'mailbox-full');
    await new Promise((resolve) => setTimeout(resolve, 20));
    again = await outcome(anna.send({ to: bob.id, body: 'after' }));
  }
  assert.equal(await read(bob, 1), ['after']);
  assert.equal(
    await read(cleo, 10),
    Array.from({ length: 10 }, (_, i) => `${4 * i + 1}`),
  );
  await Promise.all([anna.close(), bob.close(), cleo.close()]);
  await server.stop();
});

for (const [bursts, messages] of [
  [4, 100 * RUNS],
  [40 * RUNS, 2],
] as const) {
  test(`a backlog of ${bursts} bursts of ${messages} messages comes whole while others go on`, async () => {
    const figures = await backlog({ bursts, messages, bodyBytes: 100 });
    assert.ok(figures.serverMiB < 128, `the server took ${figures.serverMiB} MiB more`);
  });
}

test.run();
