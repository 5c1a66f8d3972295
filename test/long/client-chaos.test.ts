/** Clients whose sockets are cut, whose server restarts under load, and many mailboxes on few sockets. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client } from '../../src/client/client.js';
import { FileStore } from '../../src/client/index.js';
import { openMany } from '../../src/client/many.js';
import type { Dial } from '../../src/client/socket.js';
import { dial } from '../../src/client/websocket.js';
import { clientOf, directory, keyOf, read, serverAt } from '../client-helpers.js';

const test = suite('client in trouble');

/** Sockets that can be cut from outside: what is under way is lost. */
class Cutter {
  private readonly open = new Set<() => void>();

  readonly dial: Dial = (url, events) => {
    let isCut = false;
    const socket = dial(url, {
      opened: () => isCut || events.opened(),
      frame: (frame) => isCut || events.frame(frame),
      closed: (code, reason) => {
        this.open.delete(cut);
        if (!isCut) events.closed(code, reason);
      },
    });
    const cut = () => {
      isCut = true;
      this.open.delete(cut);
      socket.close(1000, 'cut');
      events.closed(1006, 'cut');
    };
    this.open.add(cut);
    return {
      send: (frames) => isCut || socket.send(frames),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: (code, reason) => socket.close(code, reason),
    };
  };

  cut(): void {
    for (const each of [...this.open]) if (Math.random() < 0.7) each();
  }
}

test('sockets cut at random, a store on disk: every message arrives once and in order', async () => {
  const server = await serverAt(directory('chaos'), { inboxes: '2', outboxes: '2' });
  const cutter = new Cutter();
  const stores = directory('chaos-stores');
  const options = (name: string) => ({
    url: server.url,
    key: keyOf(name),
    store: new FileStore(join(stores, name)),
    backoffFirstMs: 5,
    backoffMostMs: 50,
  });
  const [alice, bob] = await Promise.all([
    Client.connect(options('chaos alice'), cutter.dial),
    Client.connect(options('chaos bob'), cutter.dial),
  ]);
  const count = 1000;
  const timer = setInterval(() => cutter.cut(), 60);
  const sendAll = async (from: Client, to: Client) => {
    const counters: number[] = [];
    for (let i = 0; i < count; i += 50) {
      const batch = Array.from({ length: 50 }, (_, k) => from.send({ to: to.id, body: `${i + k}` }));
      for (const { counter } of await Promise.all(batch)) counters.push(counter);
    }
    return counters;
  };
  const expected = Array.from({ length: count }, (_, i) => `${i}`);
  const [a, b, atBob, atAlice] = await Promise.all([
    sendAll(alice, bob),
    sendAll(bob, alice),
    read(bob, count),
    read(alice, count),
  ]);
  clearInterval(timer);
  assert.equal(atBob, expected);
  assert.equal(atAlice, expected);
  for (const counters of [a, b])
    assert.equal(
      counters,
      expected.map((_, i) => i + 1),
    );
  await Promise.all([alice.close(), bob.close()]);
  await server.stop();
});

test('the server restarts under load and nothing is lost', async () => {
  const data = directory('restart');
  let server = await serverAt(data);
  const { port } = new URL(server.url);
  const [alice, bob] = await Promise.all([clientOf(server, 'alice'), clientOf(server, 'bob')]);
  const count = 2000;
  const reading = read(bob, count);
  const sending: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) {
    sending.push(alice.send({ to: bob.id, body: `${i}` }));
    if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    if (i !== 1000) continue;
    await server.stop();
    server = await serverAt(data, { port });
  }
  await Promise.all(sending);
  assert.equal(
    await reading,
    Array.from({ length: count }, (_, i) => `${i}`),
  );
  await Promise.all([alice.close(), bob.close()]);
  await server.stop();
});

test('many mailboxes share a socket per outbox; a signal ends a send, a loop and a client', async () => {
  const server = await serverAt(directory('gateway'), { outboxes: '2' });
  const count = 300;
  const got = new Map<number, string[]>();
  let left = count * 3;
  let finished = () => {};
  const all = new Promise<void>((resolve) => (finished = resolve));
  const gateway = await openMany(
    {
      url: server.url,
      keys: Array.from({ length: count }, (_, i) => keyOf(`many ${i}`)),
      onMessages: (mailbox, messages) => {
        const list = got.get(mailbox) ?? [];
        got.set(mailbox, list);
        for (const message of messages) list.push(Buffer.from(message.body).toString());
        left -= messages.length;
        if (left === 0) finished();
      },
    },
    dial,
  );
  const sends = Array.from({ length: count * 3 }, (_, i) =>
    gateway.send((i * 7) % count, { to: gateway.id(i % count), body: `${i % count}` }),
  );
  await Promise.all([...sends, all]);
  for (const [mailbox, texts] of got) assert.equal(texts, [`${mailbox}`, `${mailbox}`, `${mailbox}`]);
  await gateway.close();
  const ending = new AbortController();
  const alice = await clientOf(server, 'alice', { signal: ending.signal });
  await alice.send({ to: alice.id, body: 'x', signal: AbortSignal.abort() }).then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, 'aborted'),
  );
  const loop = read(alice, 1);
  ending.abort();
  assert.equal(await loop, []);
  assert.is(alice.state, 'closed');
  await server.stop();
});

test.run();
