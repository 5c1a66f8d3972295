/** Openings from a running server over real sockets: who may have them, how many, and for how long. */
import { writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CountersignError,
  decodeClaim,
  decodeOpening,
  decodePlaced,
  ERRORS,
  encodeBundle,
  encodeOpen,
  encodeSubmit,
  FRAME,
  type OpenedItem,
  type Opening,
  ROLE,
  verifyClaim,
} from '../src/protocol/index.js';
import type { Server } from '../src/server/index.js';
import { clientOf, directory, unsignedAt } from './client-helpers.js';
import { b64, JsonClient, unb64 } from './support/json-client.js';
import { idOf, keyOf } from './support/names.js';
import { Raw } from './support/raw.js';
import { silentProxy } from './support/silent-proxy.js';

const test = suite('openings of a server');
const FRONT = '/v1/front';
const ZERO = new Uint8Array(32);

/** One message of alice to bob; everybody else has a mailbox. */
async function world(flags: Record<string, string> = {}) {
  const server = await unsignedAt(directory('openings'), flags);
  for (const name of ['bob', 'mallory']) (await Raw.session(server.url, FRONT, name)).close();
  const alice = await Raw.session(server.url, FRONT, 'alice');
  return { server, alice, item: await sent(alice, 1, ['bob']) };
}

async function sent(sender: Raw, counter: number, to: readonly string[]): Promise<OpenedItem> {
  const recipients = to.map((name) => ({ mailbox: idOf(name), envelope: new Uint8Array(0) }));
  recipients.sort((a, b) => Buffer.compare(a.mailbox, b.mailbox));
  sender.send(encodeSubmit(0, counter, [encodeBundle(recipients, new Uint8Array(10), ZERO)]));
  const { epoch, inbox, messages } = decodePlaced(await sender.next(FRAME.placed));
  return { stage: ROLE.inbox, epoch, inbox, index: messages[0]!.index, mailbox: ZERO };
}

let requests = 0;
async function ask(raw: Raw, asked: OpenedItem): Promise<Opening> {
  const request = ++requests;
  raw.send(encodeOpen({ slot: 0, request, ...asked }));
  const opening = decodeOpening(await raw.next(FRAME.opening));
  assert.is(opening.request, request);
  return opening;
}

const codeOf = ({ error }: Opening) =>
  Object.entries(ERRORS).find(([, { number }]) => number === error)?.[0] ?? error;

function verified({ identity }: Server, claims: readonly Uint8Array[]) {
  return claims.map((claim) =>
    verifyClaim(decodeClaim(claim), identity.serverId, identity.manifest, identity.serverId),
  );
}

const at = (item: OpenedItem, stage: OpenedItem['stage'], name: string): OpenedItem => {
  return { ...item, stage, mailbox: stage === ROLE.inbox ? ZERO : idOf(name) };
};
const STAGES = [ROLE.inbox, ROLE.router, ROLE.receiver, ROLE.outbox] as const;

test('sender and recipient open every stage of their message, strangers none', async () => {
  const { server, alice, item } = await world();
  const bob = await Raw.session(server.url, FRONT, 'bob');
  const mallory = await Raw.session(server.url, FRONT, 'mallory');
  for (const stage of STAGES) {
    for (const [raw, mailbox] of [
      [alice, 'bob'],
      [alice, 'alice'],
      [bob, 'bob'],
      [bob, 'alice'],
    ] as const) {
      const { error, claims } = await ask(raw, at(item, stage, mailbox));
      assert.equal([error, claims.length], [0, 1]);
      const [statement] = verified(server, claims);
      assert.equal([statement!.attestation.role, statement!.attestation.epoch], [stage, item.epoch]);
      if (stage !== ROLE.inbox) assert.ok(Buffer.from(statement!.leaf).includes(Buffer.from(idOf(mailbox))));
    }
    assert.is(codeOf(await ask(mallory, at(item, stage, 'bob'))), 'not-a-party');
    // That nobody else has it is nobody's business.
    if (stage !== ROLE.inbox) assert.is(codeOf(await ask(alice, at(item, stage, 'mallory'))), 'not-a-party');
  }
  // Of its own mailbox anybody may see that nothing is there.
  const { claims } = await ask(mallory, at(item, ROLE.outbox, 'mallory'));
  assert.is(verified(server, claims).length, claims.length);
  await server.stop();
});

test('in JSON the same', async () => {
  const { server, item } = await world();
  const { client } = await JsonClient.session(server.url, FRONT, keyOf('bob'));
  const { epoch, inbox, index } = item;
  const asked = { stage: ROLE.outbox, epoch: `${epoch}`, inbox, index, mailbox: b64(idOf('bob')) };
  client.send({ type: 'open', slot: 0, request: 7, ...asked });
  const { request, error, claims } = await client.next('opening');
  assert.equal([request, error], [7, 0]);
  assert.is(verified(server, claims.map(unb64)).length, 1);
  await server.stop();
});

test('the operator opens anything with the token, and nobody else', async () => {
  const data = directory('openings');
  const file = `${data}/operator.token`;
  const token = '5a'.repeat(32);
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  const { server, alice, item } = await world({ 'operator-token': file });
  const get = async (query: string, header = `Bearer ${token}`) => {
    const response = await fetch(`${server.internalUrl}/v1/openings?${query}`, {
      headers: { authorization: header },
    });
    const body = (await response.json()) as { claims?: string[]; error?: { code: string } };
    return { status: response.status, claims: body.claims ?? [], code: body.error?.code };
  };
  const { epoch, inbox, index } = item;
  const place = `epoch=${epoch}&inbox=${inbox}&index=${index}`;
  const mailbox = `mailbox=${Buffer.from(idOf('mallory')).toString('hex')}`;
  for (const stage of ['inbox', 'router', 'receiver', 'outbox']) {
    const { status, claims } = await get(`stage=${stage}&${place}${stage === 'inbox' ? '' : `&${mailbox}`}`);
    assert.is(status, 200);
    const [statement] = verified(
      server,
      claims.map((claim) => Uint8Array.from(Buffer.from(claim, 'base64'))),
    );
    assert.is(statement!.attestation.epoch, epoch);
  }
  for (const wrong of ['', `Bearer ${'5b'.repeat(32)}`, `Basic ${token}`, `Bearer ${token}0`])
    assert.equal(await get(`stage=inbox&${place}`, wrong), { status: 401, claims: [], code: 'not-a-party' });
  for (const wrong of [
    '',
    place,
    `stage=inbox&${place}&${mailbox}`,
    `stage=outbox&${place}`,
    `stage=inbox&${place}&x=1`,
  ])
    assert.is((await get(wrong)).code, 'bad-request');
  assert.equal(await get(`stage=inbox&epoch=${epoch + 1_000_000}&inbox=0&index=0`), {
    status: 404,
    claims: [],
    code: 'opening-unknown',
  });
  alice.close();
  await server.stop();
  const without = await unsignedAt(directory('openings'));
  const response = await fetch(`${without.internalUrl}/v1/openings?stage=inbox&${place}`, {
    headers: { authorization: `Bearer ${'00'.repeat(32)}` },
  });
  assert.is(response.status, 401);
  await without.stop();
});

test('a key that asks too often is told when to come back, on whatever socket', async () => {
  const { server, alice, item } = await world({ 'limits-openings-per-minute': '3' });
  for (let i = 0; i < 3; i++) assert.is((await ask(alice, item)).error, 0);
  const again = await Raw.session(server.url, FRONT, 'alice');
  const { error, retryAfterMs, claims } = await ask(again, item);
  assert.equal([error, claims.length], [ERRORS.busy.number, 0]);
  assert.ok(retryAfterMs > 0 && retryAfterMs <= 60_000, `${retryAfterMs}`);
  // Nobody else is held up by it.
  const bob = await Raw.session(server.url, FRONT, 'bob');
  assert.is((await ask(bob, item)).error, 0);
  await server.stop();
});

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
    { ...item, stage: ROLE.sequencer },
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
  const server = await unsignedAt(directory('openings'), flags);
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
