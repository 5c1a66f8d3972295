/** Sessions of the client library: states, refusals of single mailboxes, resumes, stills, signals, errors. */
import { getEventListeners } from 'node:events';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { Client } from '../src/client/client.js';
import {
  type Change,
  CountersignError,
  connectMany,
  connectSender,
  FileStore,
  MemoryStore,
  type Receipt,
  type StateChange,
} from '../src/client/index.js';
import { openGateway } from '../src/client/open-gateway.js';
import { SenderClient } from '../src/client/sender-client.js';
import type { Dial } from '../src/client/socket.js';
import { dial } from '../src/client/websocket.js';
import { ERRORS, FRAME, toHex } from '../src/protocol/index.js';
import type { Server } from '../src/server/index.js';
import { clientOf, directory, keyOf, read, serverAt } from './client-helpers.js';

const keyId = (name: string) => importSecretKey(keyOf(name)).publicKey;
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error) => (error instanceof CountersignError ? error.code : String(error)),
  );
const states = (changes: readonly StateChange[]) => changes.map(({ state }) => state);

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    assert.ok(waited < 20_000, 'it does not come');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Sockets that are cut on demand, by a part of their address. */
class Sockets {
  private readonly open = new Map<() => void, string>();
  readonly urls: string[] = [];

  readonly dial: Dial = (url, events) => {
    this.urls.push(url);
    const cut = () => {
      this.open.delete(cut);
      socket.close(1000, 'cut');
      events.closed(1006, 'cut');
    };
    const isOpen = () => this.open.has(cut);
    this.open.set(cut, url);
    const socket = dial(url, {
      opened: () => isOpen() && events.opened(),
      frame: (frame) => isOpen() && events.frame(frame),
      closed: (code, reason) => this.open.delete(cut) && events.closed(code, reason),
    });
    return socket;
  };

  cut(part = ''): void {
    for (const [cut, url] of [...this.open]) if (url.includes(part)) cut();
  }
}

const test = suite('client sessions');
let server: Server;
test.before(async () => {
  server = await serverAt(directory('sessions'), { 'limits-mailboxes-per-socket': '8', outboxes: '2' });
});
test.after(() => server.stop());

test('states: connected, connecting with attempt, delay and reason, connected again, closed', async () => {
  const sockets = new Sockets();
  const changes: StateChange[] = [];
  const caughtUp: number[] = [];
  const client = await Client.connect(
    {
      url: server.url,
      key: keyOf('states'),
      backoffFirstMs: 5,
      onReady: (on) => {
        on('state', (change) => changes.push(change));
        on('end-of-backlog', ({ epoch }) => caughtUp.push(epoch));
      },
    },
    sockets.dial,
  );
  assert.equal(changes, [{ mailbox: 0, state: 'connected' }]);
  assert.equal(client.resumed, { complete: true, from: 0 });
  await until(() => caughtUp.length === 1);
  sockets.cut('outboxes');
  const lost = changes[1]!;
  assert.equal([lost.state, lost.attempt, lost.reason?.code], ['connecting', 1, 'connection-lost']);
  assert.ok(lost.retryInMs! >= 0 && lost.retryInMs! < 5);
  assert.is(client.state, 'connecting');
  await until(() => client.state === 'connected' && caughtUp.length === 2);
  sockets.cut('front');
  await until(() => client.state === 'connected');
  await client.still();
  assert.is(caughtUp.length, 2, 'once per connection of the outbox');
  await client.close();
  assert.equal(states(changes), [
    'connected',
    'connecting',
    'connected',
    'connecting',
    'connected',
    'closed',
  ]);
  assert.is(changes.at(-1)!.reason?.code, 'closed');
});

test('attempts are counted until the socket is open; the first one that fails is told', async () => {
  let failing = 3;
  const changes: StateChange[] = [];
  const broken: Dial = (url, events) => {
    if (failing-- <= 0) return dial(url, events);
    setImmediate(() => events.closed(1006, 'no route'));
    return { send() {}, pause() {}, resume() {}, close() {} };
  };
  const client = await Client.connect(
    {
      url: server.url,
      key: keyOf('attempts'),
      backoffFirstMs: 2,
      onReady: (on) => void on('state', (change) => changes.push(change)),
    },
    broken,
  );
  assert.equal(
    changes.map(({ attempt, reason }) => [attempt, reason?.message]),
    [
      [2, 'no route'],
      [3, 'no route'],
      [4, 'no route'],
      [undefined, undefined],
    ],
  );
  await client.close();
});

test('many mailboxes: several sockets beyond the limit; one that is displaced is over by itself', async () => {
  const count = 40;
  const keys = Array.from({ length: count }, (_, i) => keyOf(`crowd ${i}`));
  const changes: StateChange[] = [];
  const got: string[] = [];
  const options = {
    url: server.url,
    keys,
    mailboxesPerSocket: 8,
    backoffFirstMs: 10,
    onMessages: (mailbox: number, messages: readonly { body: Uint8Array }[]) => {
      for (const { body } of messages) got.push(`${mailbox} ${Buffer.from(body)}`);
    },
    onReady: (on: (name: 'state', listener: (change: StateChange) => void) => unknown) =>
      void on('state', (change) => changes.push(change)),
  };
  const gateway = await connectMany(options);
  assert.is(changes.length, count);
  assert.ok(changes.every(({ state }) => state === 'connected'));
  const other = await clientOf(server, 'crowd 3');
  await until(() => gateway.state(3) !== 'connected');
  assert.is(gateway.state(3), 'displaced');
  assert.is(gateway.problem(3)!.code, 'displaced');
  assert.is(await codeOf(gateway.send(3, { to: gateway.id(0), body: 'x' })), 'displaced');
  assert.is(await codeOf(gateway.still(3)), 'displaced');
  const receipts = await Promise.all(
    Array.from({ length: count }, (_, i) => i)
      .filter((i) => i !== 3)
      .map((i) => gateway.send(i, { to: gateway.id((i + 1) % count), body: `from ${i}` })),
  );
  assert.ok(receipts.every(({ proven }) => proven));
  assert.equal(await read(other, 1), ['from 2']);
  await until(() => got.length === count - 2);
  await other.close();
  await gateway.close();
  assert.is(states(changes).filter((state) => state === 'displaced').length, 1);
  assert.is(states(changes).filter((state) => state === 'closed').length, count - 1);
  const tooMany = connectMany({ ...options, keys: keys.slice(0, 9), mailboxesPerSocket: 9 });
  assert.is(await codeOf(tooMany), 'too-many-mailboxes');
});

test('many mailboxes: one that is refused is over by itself; all refused is a rejection', async () => {
  const registered = await serverAt(directory('refused'), { mailboxes: 'registered' });
  await fetch(`${registered.internalUrl}/v1/mailboxes/${toHex(keyId('known'))}`, { method: 'PUT' });
  const changes: StateChange[] = [];
  const options = {
    url: registered.url,
    onMessages: () => {},
    onReady: (on: (name: 'state', listener: (change: StateChange) => void) => unknown) =>
      void on('state', (change) => changes.push(change)),
  };
  const gateway = await connectMany({ ...options, keys: [keyOf('stranger'), keyOf('known')] });
  assert.equal(
    changes.map(({ mailbox, state, reason }) => [mailbox, state, reason?.code]),
    [
      [0, 'refused', 'mailbox-not-registered'],
      [1, 'connected', undefined],
    ],
  );
  await gateway.send(1, { to: gateway.id(1), body: 'x' });
  await gateway.close();
  assert.is(await codeOf(connectMany({ ...options, keys: [keyOf('stranger')] })), 'mailbox-not-registered');
  assert.is(await codeOf(clientOf(registered, 'stranger')), 'mailbox-not-registered');
  assert.is(
    await codeOf(connectSender({ url: registered.url, key: keyOf('stranger') })),
    'mailbox-not-registered',
  );
  await registered.stop();
});

test('a resume that is truncated says from where to where, and what it takes with it', async () => {
  const alice = await clientOf(server, 'truncated alice');
  const path = join(directory('truncated'), 'bob');
  let bob = await clientOf(server, 'truncated bob', { store: new FileStore(path) });
  await alice.send({ to: bob.id, body: 'one' });
  assert.equal(await read(bob, 1), ['one']);
  await bob.close();
  const { place } = await alice.send({ to: bob.id, body: 'two' });
  const copy = await clientOf(server, 'truncated bob');
  assert.is(copy.resumed.complete, false);
  assert.equal(await read(copy, 1), ['two']);
  await copy.close();
  const gaps: { from: number; to: number }[] = [];
  bob = await clientOf(server, 'truncated bob', {
    store: new FileStore(path),
    onReady: (on) => void on('gap', ({ from, to }) => gaps.push({ from, to })),
  });
  const [gap] = gaps;
  assert.is(gaps.length, 1);
  assert.ok(gap!.from < place.epoch && gap!.to === place.epoch);
  assert.equal(bob.resumed, { complete: false, ...gap! });
  await Promise.all([alice.close(), bob.close()]);
});

test('a receipt that lies in the gap is told to be lost, and sending goes on', async () => {
  const path = join(directory('lost'), 'alice');
  const sockets = new Sockets();
  const options = { url: server.url, key: keyOf('lost alice'), backoffFirstMs: 5 };
  const bob = await clientOf(server, 'lost bob');
  // No delivery comes to this life: the message is taken in and its receipt is not read.
  const deaf: Dial = (url, events) =>
    sockets.dial(url, {
      ...events,
      opened: () => events.opened(),
      closed: (code, reason) => events.closed(code, reason),
      frame: (frame) => frame[0] !== FRAME.deliver && events.frame(frame),
    });
  const first = await Client.connect({ ...options, store: new FileStore(path) }, deaf);
  const placed = new Promise<void>((resolve) => first.on('placed', () => resolve()));
  const waiting = codeOf(first.send({ to: bob.id, body: 'a' }));
  await placed;
  await first.close();
  assert.is(await waiting, 'closed');
  // Another holder of the key acknowledges the link that has it.
  const copy = await Client.connect({ ...options, store: new MemoryStore() }, dial);
  await bob.send({ to: copy.id, body: 'b' });
  assert.equal(await read(copy, 1), ['b']);
  await copy.close();
  const second = await Client.connect({ ...options, store: new FileStore(path) }, dial);
  assert.is(second.resumed.complete, false);
  const receipt = await second.send({ to: bob.id, body: 'c' });
  assert.is(receipt.counter, 2);
  assert.equal(await read(bob, 2), ['a', 'c']);
  await second.close();
  await bob.close();
});

test('a pure sender: the place without proof, over reconnects and restarts; proven later with its store', async () => {
  const path = join(directory('pure'), 'alice');
  const bob = await clientOf(server, 'pure bob');
  const sockets = new Sockets();
  const options = { url: server.url, key: keyOf('pure alice'), backoffFirstMs: 5, backoffMostMs: 20 };
  const alice = await SenderClient.connect(
    { ...options, store: new FileStore(path) },
    sockets.dial,
    openGateway,
  );
  const count = 300;
  const places: { counter: number; hash: string; epoch: number }[] = [];
  const timer = setInterval(() => sockets.cut(), 15);
  for (let i = 0; i < count; i += 20) {
    const batch = Array.from({ length: 20 }, (_, k) => alice.send({ to: bob.id, body: `${i + k}` }));
    for (const { proven, counter, place, messageHash } of await Promise.all(batch)) {
      assert.is(proven, false);
      places.push({ counter, hash: toHex(messageHash), epoch: place.epoch });
    }
  }
  clearInterval(timer);
  assert.ok(
    sockets.urls.every((url) => url.endsWith('/v1/front')),
    'its outbox is never opened',
  );
  assert.equal(
    places.map(({ counter }) => counter),
    places.map((_, i) => i + 1),
  );
  // It ends before it knows the place: the next life sends again, and the server answers the duplicate.
  const last = codeOf(alice.send({ to: bob.id, body: 'last' }));
  await alice.close();
  await last;
  const again = await connectSender({ ...options, store: new FileStore(path) });
  assert.is((await again.send({ to: bob.id, body: 'behind' })).counter, count + 2);
  await again.close();
  const texts = await read(bob, count + 2);
  assert.equal(texts, [...places.map((_, i) => `${i}`), 'last', 'behind']);
  const receipts: Receipt[] = [];
  const proven = await Client.connect(
    {
      ...options,
      store: new FileStore(path),
      onReady: (on) => void on('receipt', ({ receipt }) => receipts.push(receipt)),
    },
    dial,
  );
  await until(() => receipts.length === count + 2);
  for (const [i, { counter, hash, epoch }] of places.entries()) {
    assert.is(receipts[i]!.counter, counter);
    assert.is(toHex(receipts[i]!.messageHash), hash);
    assert.is(receipts[i]!.place.epoch, epoch);
  }
  await Promise.all([proven.close(), bob.close()]);
});

test('stills: callers share one, signals leave, reconnects ask again', async () => {
  const sockets = new Sockets();
  const alice = await clientOf(server, 'still alice');
  const bob = await Client.connect(
    { url: server.url, key: keyOf('still bob'), backoffFirstMs: 5 },
    sockets.dial,
  );
  const receipt = await alice.send({ to: bob.id, body: 'x' });
  assert.equal(await read(bob, 1), ['x']);
  const stands = await Promise.all(Array.from({ length: 50 }, () => bob.still()));
  for (const { asOf, lastEpoch, total } of stands) {
    assert.ok(asOf >= receipt.place.epoch);
    assert.equal([lastEpoch, total], [receipt.place.epoch, 1]);
  }
  const { signal } = new AbortController();
  const ending = new AbortController();
  const given = codeOf(bob.still({ signal: ending.signal }));
  const kept = bob.still({ signal });
  ending.abort();
  assert.is(await given, 'aborted');
  sockets.cut();
  const while_ = bob.still();
  await Promise.all([kept, while_]);
  for (const each of [signal, ending.signal]) assert.is(getEventListeners(each, 'abort').length, 0);
  const many = Array.from({ length: 5000 }, () => codeOf(bob.still()));
  assert.is((await Promise.all(many)).filter((code) => code === 'busy').length, 5000 - 4096);
  const away = await clientOf(server, 'still carol');
  await away.close();
  await Promise.all(Array.from({ length: 200 }, (_, i) => alice.send({ to: away.id, body: `${i}` })));
  const carol = await clientOf(server, 'still carol');
  assert.is((await carol.still()).total, 200, 'asked while it is behind, answered for everything');
  await carol.close();
  const other = await clientOf(server, 'still bob');
  const late = codeOf(bob.still());
  await until(() => bob.state === 'displaced');
  assert.ok(['displaced', 'none'].includes(await late));
  assert.is(await codeOf(bob.still()), 'displaced');
  await Promise.all([alice.close(), bob.close(), other.close()]);
});

test('a proxy that finds nothing while the server is away does not end a client', async () => {
  const sockets = new Sockets();
  const client = await Client.connect(
    { url: server.url, key: keyOf('proxied'), backoffFirstMs: 5 },
    sockets.dial,
  );
  const { fetch } = globalThis;
  let asked = 0;
  globalThis.fetch = async () => {
    if (++asked === 3) globalThis.fetch = fetch;
    return new Response('', { status: 404 });
  };
  sockets.cut();
  await until(() => asked === 3 && client.state !== 'connecting');
  assert.is(client.state, 'connected');
  await client.close();
});

test('with a slow store: the backlog ends when it is shown, and a still is newer than what was asked at', async () => {
  const alice = await clientOf(server, 'slow alice');
  const bob = await clientOf(server, 'slow bob');
  await bob.close();
  for (const body of ['a', 'b', 'c']) await alice.send({ to: bob.id, body });
  const told: string[] = [];
  const asked: Promise<void>[] = [];
  class SlowStore extends MemoryStore {
    override async save(changes: readonly Change[]): Promise<void> {
      for (const change of changes) if (change.type === 'chain') ask(change.chain.verified.lastEpoch);
      await new Promise((resolve) => setTimeout(resolve, 10));
      super.save(changes);
    }
  }
  const gateway = await connectMany({
    url: server.url,
    keys: [keyOf('slow bob')],
    store: new SlowStore(),
    onMessages: (_, messages) => void told.push(...messages.map(({ body }) => Buffer.from(body).toString())),
    onReady: (on) => {
      on('end-of-backlog', () => told.push('end'));
    },
  });
  // A link that is known and not saved yet is no answer.
  const ask = (known: number) => {
    if (told.includes('end') && asked.length < 3)
      asked.push(gateway.still(0).then(({ asOf }) => assert.ok(asOf > known, `${asOf}, ${known} was known`)));
  };
  await until(() => told.includes('end'));
  assert.equal(told, ['a', 'b', 'c', 'end']);
  for (let i = 0; asked.length < 3 && i < 100; i++) await alice.send({ to: bob.id, body: 'live' });
  await Promise.all(asked);
  assert.is(asked.length, 3);
  await Promise.all([alice.close(), gateway.close()]);
});

test('signals: connecting, sending, reading and the client end by them, and keep no listener', async () => {
  const ending = new AbortController();
  const { signal } = ending;
  const listeners = () => getEventListeners(signal, 'abort').length;
  const never: Dial = () => ({ send() {}, pause() {}, resume() {}, close() {} });
  const stuck = new AbortController();
  const connecting = codeOf(
    Client.connect({ url: server.url, key: keyOf('sig'), signal: stuck.signal }, never),
  );
  setTimeout(() => stuck.abort(), 50);
  assert.is(await connecting, 'aborted');
  assert.is(getEventListeners(stuck.signal, 'abort').length, 0);
  const many = { url: server.url, keys: [keyOf('sig')], onMessages: () => {}, signal: stuck.signal };
  assert.is(await codeOf(connectMany(many)), 'aborted');
  const client = await clientOf(server, 'sig', { signal });
  assert.is(listeners(), 1);
  await Promise.all(Array.from({ length: 30 }, () => client.send({ to: client.id, body: 'x', signal })));
  assert.is(listeners(), 1);
  assert.ok((await codeOf(client.send({ to: 'zz', body: '', signal }))).startsWith('TypeError'));
  assert.is(listeners(), 1);
  for await (const _ of client.mailbox({ signal })) break;
  assert.is(listeners(), 1);
  const loop = new AbortController();
  let seen = 0;
  const reading = (async () => {
    for await (const _ of client.mailbox({ signal: loop.signal })) if (++seen === 29) loop.abort();
  })();
  await reading;
  assert.is(seen, 29);
  assert.is(getEventListeners(loop.signal, 'abort').length, 0);
  const waiting = client.mailbox({ signal }).next();
  const gone = codeOf(client.send({ to: client.id, body: 'y', signal }));
  ending.abort();
  assert.is(await gone, 'aborted');
  assert.equal(await waiting, { done: true, value: undefined });
  await until(() => client.state === 'closed');
  assert.is(listeners(), 0);
  assert.is(await codeOf(client.send({ to: client.id, body: 'z' })), 'aborted');
});

test('who waits for a receipt behind messages that nobody takes is told so, and gets it as an event', async () => {
  const alice = await clientOf(server, 'unread', { bufferBytes: 4000, unreadMs: 100 });
  const late: number[] = [];
  alice.on('receipt', ({ receipt }) => late.push(receipt.counter));
  const codes: string[] = [];
  for (let i = 0; i < 12; i++) codes.push(await codeOf(alice.send({ to: alice.id, body: 'x'.repeat(500) })));
  assert.ok(codes.includes('none') && codes.includes('receipt-delayed'), `${codes}`);
  assert.is((await read(alice, 12)).length, 12);
  await until(() => late.length === codes.filter((code) => code === 'receipt-delayed').length);
  await alice.send({ to: alice.id, body: 'goes on' });
  await alice.close();
});

test('every rejection of the library has a code, or is a TypeError for a fault of the caller', async () => {
  const alice = await clientOf(server, 'errors');
  const to = alice.id;
  const key = keyOf('errors 2');
  const { url } = server;
  const isFault = (promise: () => Promise<unknown>) =>
    promise().then(
      () => assert.unreachable(),
      (error) => assert.instance(error, TypeError),
    );
  await isFault(() => clientOf(server, 'errors', { key: new Uint8Array(31) }));
  await isFault(() => clientOf(server, 'errors', { url: 'nowhere' }));
  await isFault(() => clientOf(server, 'errors', { url: 'ftp://127.0.0.1' }));
  await isFault(() => clientOf(server, 'errors', { window: 0 }));
  await isFault(() => clientOf(server, 'errors', { server: 'abc' }));
  await isFault(() => connectMany({ url, keys: [], onMessages: () => {} }));
  await isFault(() => connectMany({ url, keys: [key, key], onMessages: () => {} }));
  await isFault(() => alice.send({ to: 'abc', body: '' }));
  await isFault(() => alice.send({ to, body: '', envelopes: [] }));
  assert.throws(() => {
    alice.mailbox();
    alice.mailbox();
  }, TypeError);
  const { policy } = alice.manifest;
  const receipt = await alice.send({ to, body: 'claimed' });
  const unreadable = new FileStore(directory('no-file'));
  const cases: [string, () => Promise<unknown>][] = [
    ['bundle-too-large', () => alice.send({ to, body: new Uint8Array(policy.bodyBytes + 1) })],
    ['bundle-malformed', () => alice.send({ to: [to, to], body: '' })],
    ['bundle-malformed', () => alice.send({ to: [], body: '' })],
    ['no-such-mailbox', () => alice.send({ to: new Uint8Array(32).fill(9), body: '' })],
    ['aborted', () => alice.send({ to, body: '', signal: AbortSignal.abort() })],
    ['aborted', () => alice.still({ signal: AbortSignal.abort() })],
    ['aborted', () => receipt.claim({ signal: AbortSignal.abort() })],
    ['aborted', () => clientOf(server, 'errors', { signal: AbortSignal.abort() })],
    ['connection-lost', () => clientOf(server, 'errors', { url: 'http://127.0.0.1:1' })],
    ['not-found', () => clientOf(server, 'errors', { url: `${url}/elsewhere` })],
    ['wrong-server', () => clientOf(server, 'errors', { server: 'ab'.repeat(32) })],
    ['wrong-server', () => connectSender({ url, key, server: 'ab'.repeat(32) })],
    ['store-unusable', () => clientOf(server, 'errors', { store: unreadable })],
  ];
  for (const [code, run] of cases) {
    const error = await run().then(
      () => assert.unreachable(code),
      (error) => error,
    );
    assert.instance(error, CountersignError, `${code}: ${error}`);
    assert.is(error.code, code);
    assert.is(error.temporary, ERRORS[error.code as CountersignError['code']].temporary);
  }
  await alice.close();
  assert.is(await codeOf(alice.send({ to, body: '' })), 'closed');
  assert.is(await codeOf(alice.still()), 'closed');
});

test.run();
