/** What sends is loaded when it is first needed: nothing is lost, nothing changes its place, nothing is sent twice. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client } from '../src/client/client.js';
import { CountersignError, MemoryStore, type Receipt } from '../src/client/index.js';
import { Later } from '../src/client/later.js';
import { sending } from '../src/client/sending.js';
import type { Dial } from '../src/client/socket.js';
import { dial } from '../src/client/websocket.js';
import type { Server } from '../src/server/index.js';
import { clientOf, directory, keyOf, read, serverAt } from './client-helpers.js';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error) => (error instanceof CountersignError ? error.code : String(error)),
  );

/** As in a new process: loading goes through `load`. */
const loader = sending as unknown as { loaded: unknown; loading: unknown; load: () => Promise<unknown> };
const really = loader.load;
function unload(load = really): void {
  loader.loaded = null;
  loader.loading = null;
  loader.load = load;
}
const offline = () => Promise.reject(new TypeError('offline'));

/** Loading that waits to be let go. */
function slowly(): () => void {
  let go = () => {};
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  unload(() => gone.then(really));
  return go;
}

const test = suite('loading what sends');
let server: Server;
test.before(async () => {
  server = await serverAt(directory('sending'));
});
test.after(() => server.stop());
test.after.each(() => unload());

test('what waits goes on in order, then what comes later; what it throws is its own failure', async () => {
  const told: string[] = [];
  const later = new Later(async () => 'part');
  const failed = (error: unknown) => told.push(String(error));
  later.wait((part) => {
    told.push(`1 ${part}`);
    later.wait((again) => told.push(`3 ${again}`), failed);
  }, failed);
  later.wait(() => {
    throw new RangeError('2');
  }, failed);
  assert.is(later.now, null);
  await later.settled();
  assert.equal(told, ['1 part', 'RangeError: 2', '3 part']);
  assert.is(later.now, 'part');
  assert.is(await later.get(), 'part');
});

test('who comes while others have yet to go waits behind them', async () => {
  const told: number[] = [];
  const later = new Later(async () => told);
  const fail = (error: unknown) => assert.unreachable(String(error));
  const come = (n: number) => {
    if (later.now) later.now.push(n);
    else later.wait((list) => list.push(n), fail);
  };
  await later.get().then(() => {
    later.wait(() => told.push(1), fail);
    for (const n of [2, 3]) come(n);
    queueMicrotask(() => come(4));
  });
  await later.settled();
  assert.equal(told, [1, 2, 3, 4]);
});

test('loading that fails fails who waits, with a temporary error, and is tried again', async () => {
  let tries = 0;
  const later = new Later(async () => {
    if (++tries === 1) throw new TypeError('offline');
    return tries;
  });
  const [first, second] = await Promise.allSettled([later.get(), later.get()]);
  for (const { reason } of [first, second] as PromiseRejectedResult[]) {
    assert.is(reason.code, 'connection-lost');
    assert.ok(reason.temporary);
    assert.is(reason.cause.message, 'offline');
  }
  assert.is(await later.get(), 2);
});

test('who only reads never loads it', async () => {
  unload(offline);
  const bob = await clientOf(server, 'reader');
  unload();
  const alice = await clientOf(server, 'writer');
  await alice.send({ to: bob.id, body: 'one' });
  unload(offline);
  assert.equal(await read(bob, 1), ['one']);
  await bob.still();
  assert.is(sending.loaded, null);
  await alice.close();
  await bob.close();
});

test('messages of one turn, of the time of loading and behind it keep their order, and are what they were', async () => {
  const bob = await clientOf(server, 'order bob');
  const alice = await clientOf(server, 'order alice');
  const go = slowly();
  const body = Buffer.from('1');
  const receipts = [alice.send({ to: bob.id, body }), alice.send({ to: bob.id, body: '2' })];
  body.write('x');
  await turn();
  const gone = new AbortController();
  const aborted = codeOf(alice.send({ to: bob.id, body: 'aborted', signal: gone.signal }));
  const wrong = codeOf(alice.send({ to: 'ab', body: 'wrong' }));
  receipts.push(alice.send({ to: bob.id, body: '3' }));
  gone.abort();
  assert.is(await aborted, 'aborted');
  go();
  receipts.push(sending.get().then(() => alice.send({ to: bob.id, body: '4' })));
  assert.match(await wrong, /TypeError: to: /);
  assert.equal(
    (await Promise.all(receipts)).map(({ counter }) => counter),
    [1, 2, 3, 4],
  );
  assert.equal(await read(bob, 4), ['1', '2', '3', '4']);
  await alice.close();
  await bob.close();
});

test('a send whose loading fails is refused for now; the next one loads, and no counter is skipped', async () => {
  const alice = await clientOf(server, 'failing');
  unload(offline);
  assert.is(await codeOf(alice.send({ to: alice.id, body: 'lost' })), 'connection-lost');
  assert.is(await codeOf(alice.send({ to: alice.id, body: 'lost' })), 'connection-lost');
  unload();
  assert.is((await alice.send({ to: alice.id, body: 'sent' })).counter, 1);
  assert.equal(await read(alice, 1), ['sent']);
  await alice.close();
});

test('the first message is sent offline, and goes out with the next session', async () => {
  let isDown = false;
  const cuts: (() => void)[] = [];
  const flaky: Dial = (url, events, silenceMs) => {
    const socket = dial(isDown ? 'ws://127.0.0.1:9/' : url, events, silenceMs);
    cuts.push(() => socket.close(1000, 'cut'));
    return socket;
  };
  unload();
  const options = { url: server.url, key: keyOf('offline'), backoffFirstMs: 5, backoffMostMs: 20 };
  const alice = await Client.connect(options, flaky);
  isDown = true;
  for (const cut of cuts) cut();
  while (alice.state === 'connected') await turn();
  const receipt = alice.send({ to: alice.id, body: 'offline' });
  await sending.get();
  await turn();
  isDown = false;
  assert.is((await receipt).counter, 1);
  await alice.close();
});

test('what is sent before `close` is kept while it loads; the next life loads before it opens, and receipts are events', async () => {
  const store = new MemoryStore();
  const options = { url: server.url, key: keyOf('next life'), store };
  const first = await Client.connect(options, dial);
  const go = slowly();
  const code = codeOf(first.send({ to: first.id, body: 'kept' }));
  const closed = first.close();
  go();
  assert.is(await code, 'closed');
  await closed;
  unload(offline);
  assert.is(await codeOf(Client.connect(options, dial)), 'connection-lost');
  unload();
  const receipts: Receipt[] = [];
  const onReady = (on: Client['on']) => {
    assert.ok(sending.loaded);
    on('receipt', ({ receipt }) => receipts.push(receipt));
  };
  const second = await Client.connect({ ...options, onReady }, dial);
  assert.equal(await read(second, 1), ['kept']);
  while (receipts.length === 0) await turn();
  assert.equal(
    receipts.map(({ counter }) => counter),
    [1],
  );
  await second.close();
});

test('counters used elsewhere before anything is sent here: told, their receipts are events, the next follows', async () => {
  const options = { url: server.url, key: keyOf('elsewhere') };
  const store = new MemoryStore();
  await (await Client.connect({ ...options, store }, dial)).close();
  const other = await Client.connect(options, dial);
  for (let i = 1; i <= 3; i++) await other.send({ to: other.id, body: `${i}` });
  await other.close();
  unload(offline);
  const told: string[] = [];
  const onReady = (on: Client['on']) => {
    on('counter-conflict', ({ counter }) => told.push(`conflict ${counter}`));
    on('receipt', ({ receipt }) => told.push(`receipt ${receipt.counter}`));
  };
  const here = await Client.connect({ ...options, store, onReady }, dial);
  assert.equal(await read(here, 3), ['1', '2', '3']);
  assert.equal(told, ['conflict 3', 'receipt 1', 'receipt 2', 'receipt 3']);
  assert.is(sending.loaded, null);
  unload();
  assert.is((await here.send({ to: here.id, body: '4' })).counter, 4);
  await here.close();
  // The same store once more: what it knows now is not used elsewhere.
  told.length = 0;
  await (await Client.connect({ ...options, store, onReady }, dial)).close();
  assert.equal(told, []);
});

test.run();
