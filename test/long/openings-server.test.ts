/** Openings of a real server by the client library, over several sockets, and when the server stops. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CountersignError,
  decodeOpening,
  encodeOpen,
  FRAME,
  type OpenedItem,
  ROLE,
} from '../../src/protocol/index.js';
import { clientOf, directory, serverAt } from '../client-helpers.js';
import { idOf } from '../support/names.js';
import { codeOf, FRONT, verified, world } from '../support/openings-server.js';
import { Raw } from '../support/raw.js';
import { silentProxy } from '../support/silent-proxy.js';

const test = suite('openings of a server');

test('what waits for an opening when the server stops is told so, and nothing reads the closed store', async () => {
  const { server, alice, item } = await world({ 'limits-openings-per-minute': '1000' });
  let failure: Error | null = null;
  server.failed.catch((error) => {
    failure = error;
  });
  for (let request = 0; request < 1000; request++) alice.send(encodeOpen({ slot: 0, request, ...item }));
  let opening = decodeOpening(await alice.next(FRAME.opening));
  const stopped = server.stop();
  const untold = stopped.then(() => Promise.reject(new Error('nobody was told')));
  untold.catch(() => {});
  while (opening.error === 0)
    opening = decodeOpening(await Promise.race([alice.next(FRAME.opening), untold]));
  assert.equal([codeOf(opening), opening.retryAfterMs], ['busy', 1000]);
  alice.close();
  await stopped;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.is(failure, null);
});

test('frames that make no sense end the socket', async () => {
  const { server, item } = await world();
  const wrong = [
    { ...item, stage: 0 as OpenedItem['stage'] },
    { ...item, stage: ROLE.sequencer as never },
    { ...item, stage: ROLE.outbox },
    { ...item, mailbox: idOf('bob') },
  ];
  for (const asked of wrong) {
    const raw = await Raw.session(server.url, FRONT, 'bob');
    raw.send(encodeOpen({ slot: 0, request: 1, ...asked }));
    assert.is((await raw.closed).code, 3500);
  }
  const outbox = await Raw.session(server.url, '/v1/outboxes/0', 'bob');
  outbox.send(encodeOpen({ slot: 0, request: 1, ...item }));
  assert.is((await outbox.closed).code, 3501);
  await server.stop();
});

/** The next receipt of a message from alice to bob; both connected, everybody with a mailbox. */
async function clients(flags: Record<string, string> = {}) {
  const server = await serverAt(directory('openings'), flags);
  const [alice, bob, mallory] = await Promise.all(
    ['alice', 'bob', 'mallory'].map((name) => clientOf(server, name)),
  );
  const { place } = await alice!.send({ to: [bob!.id], body: new Uint8Array(3) });
  const stop = async () => {
    await Promise.all([alice, bob, mallory].map((client) => client!.close()));
    await server.stop();
  };
  return { server, alice: alice!, bob: bob!, mallory: mallory!, place, stop };
}

const codeThrown = (opened: Promise<unknown>) =>
  opened.then(
    () => 'opened',
    (error: CountersignError) => error.code,
  );

test('the client library opens, verifies and says whether it is there', async () => {
  const { server, alice, bob, mallory, place, stop } = await clients({ inboxes: '2', outboxes: '2' });
  for (const stage of ['inbox', 'router', 'receiver', 'outbox'] as const) {
    for (const client of [alice, bob]) {
      const { isThere, claims } = await client.open({ stage, ...place });
      assert.is(isThere, true);
      assert.is(verified(server, claims).length, 1);
    }
    const whose = stage === 'inbox' ? {} : { mailbox: bob.id };
    assert.is(await codeThrown(mallory.open({ stage, ...place, ...whose })), 'not-a-party');
  }
  for (const stage of ['router', 'receiver', 'outbox'] as const) {
    const { isThere, claims } = await mallory.open({ stage, ...place });
    assert.is(isThere, false);
    assert.ok(verified(server, claims).length > 0);
  }
  assert.is(
    await codeThrown(alice.open({ stage: 'outbox', ...place, epoch: place.epoch + 1e9 })),
    'opening-unknown',
  );
  // What would not be a frame is a fault of the caller.
  for (const wrong of [
    { mailbox: 'ab' },
    { index: -1 },
    { epoch: 0.5 },
    { stage: 'sequencer' as 'inbox' },
    { stage: 'constructor' as 'inbox' },
    { stage: 'inbox' as const, mailbox: bob.id },
  ])
    assert.instance(
      await alice.open({ stage: 'outbox', ...place, ...wrong }).catch((error) => error),
      TypeError,
    );
  await stop();
});

test('an opening is asked for again on the next socket, given up by its signal, and over with the client', async () => {
  const { server, alice, bob, place, stop } = await clients();
  const proxy = await silentProxy(server.url);
  const carol = await clientOf(server, 'alice', { url: proxy.url, silenceMs: 500 });
  const { state } = alice;
  assert.is(state, 'displaced');
  assert.is(await codeThrown(alice.open({ stage: 'inbox', ...place })), 'displaced');
  proxy.silence();
  const ending = new AbortController();
  const [lost, given] = [
    carol.open({ stage: 'inbox', ...place }),
    carol.open({ stage: 'inbox', ...place, signal: ending.signal }),
  ];
  ending.abort();
  assert.is(await codeThrown(given), 'aborted');
  assert.is((await lost).isThere, true);
  const crowd = Array.from({ length: 1025 }, () => codeThrown(bob.open({ stage: 'inbox', ...place })));
  assert.is(await crowd.at(-1), 'busy');
  const closing = crowd[0]!;
  await bob.close();
  assert.ok(['opened', 'closed'].includes(await closing));
  await carol.close();
  proxy.close();
  await stop();
});

test.run();
