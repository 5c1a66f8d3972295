/** Stopping in order: everything taken in is told first, and clients neither leave nor return all at once. */
import { setTimeout as pass } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Connection } from '../src/client/connection.js';
import type { Dial } from '../src/client/socket.js';
import {
  decodePlaced,
  ERRORS,
  encodeBundle,
  encodeError,
  encodeSubmit,
  FRAME,
} from '../src/protocol/index.js';
import { directory, read } from './client-helpers.js';
import { clientAt } from './support/attacked.js';
import { idOf } from './support/names.js';
import { start } from './support/program.js';
import { NO_CHECKPOINT, Raw } from './support/raw.js';
import { ServerProcess } from './support/server-process.js';

const test = suite('shutdown');
const FRONT = '/v1/front';

const bundleTo = (to: string) =>
  encodeBundle([{ mailbox: idOf(to), envelope: new Uint8Array(0) }], Buffer.from('x'), Buffer.alloc(32, 1));
const submitOf = (to: string) => encodeSubmit(0, 1, [bundleTo(to)]);

test('what was taken in is placed and told before anybody is sent away; the going is spread, and the return', async () => {
  const many = 60;
  // An epoch that is not due for long: what comes now is placed by draining alone.
  const paced = {
    'shutdown-sockets-per-second': '60',
    'shutdown-close-ms': '800',
    'shutdown-return-ms': '900',
  };
  const server = await ServerProcess.at(directory('shutdown'), {
    submissions: 'accepted',
    'epoch-min-interval-ms': '1000',
    inboxes: '2',
    outboxes: '2',
    threads: '2',
    ...paced,
  });
  assert.is(await server.start(), null);
  const names = Array.from({ length: many }, (_, i) => `guest ${i}`);
  const raws = await Promise.all(names.map((name) => Raw.session(server.url, FRONT, name)));
  const last = await Raw.session(server.url, FRONT, 'last');
  for (const raw of raws) raw.send(submitOf('last'));
  // Answered on another socket later than all of these were read.
  await pass(200);
  last.send(submitOf('nobody'));
  await last.error();
  const left: number[] = [];
  const began = performance.now();
  raws.forEach((raw, i) => {
    void raw.closed.then(() => {
      left[i] = performance.now() - began;
    });
  });
  const ended = server.kill('SIGTERM');
  const away: number[] = [];
  for (const raw of raws) {
    assert.equal(
      decodePlaced(await raw.next(FRAME.placed)).messages.map(({ counter }) => counter),
      [1],
    );
    away.push((await raw.error()).retryAfterMs);
    assert.is((await raw.closed).code, 1012);
  }
  assert.is((await ended).code, 0);
  const spread = Math.max(...left) - Math.min(...left);
  const back = left.map((at, i) => at + away[i]!).sort((a, b) => a - b);
  const most = Math.max(...back) - Math.min(...back);
  console.log(
    `${many} sockets closed within ${spread.toFixed(0)} ms, told to come back within ${most.toFixed(0)} ms`,
  );
  assert.ok(most < 1500, `told to come back within ${most} ms`);
  assert.ok(spread > 400, `closed within ${spread} ms`);
  assert.ok(Math.max(...away) <= 800 + 900 + 1, `${Math.max(...away)} ms away`);
  assert.ok(new Set(away).size > many / 2, 'told to come back together');
  // Over no tenth of a second come more than a third of them.
  const crowd = back.map((at) => back.filter((other) => other >= at && other < at + 100).length);
  assert.ok(Math.max(...crowd) < many / 3, `${Math.max(...crowd)} come back within 100 ms`);
  await server.start();
  const again = await Raw.connect(server.url, FRONT);
  await again.greet();
  for (const name of names) assert.is((await again.open(name)).lastCounter, 1);
  again.close();
  await server.kill();
});

test('clients that send while the server restarts lose nothing and send nothing twice', async () => {
  const server = await ServerProcess.at(directory('shutdown'), {
    submissions: 'accepted',
    'shutdown-sockets-per-second': '20',
  });
  assert.is(await server.start(), null);
  const reader = await clientAt(server.url, 'reader');
  const senders = await Promise.all(['a', 'b', 'c', 'd'].map((name) => clientAt(server.url, name)));
  let running = true;
  const sent = senders.map(async (client, i) => {
    const receipts: Promise<unknown>[] = [];
    for (let n = 0; running; n++) {
      receipts.push(client.send({ to: reader.id, body: `${i} ${n}` }));
      await pass(2);
    }
    await Promise.all(receipts);
    return receipts.length;
  });
  await pass(150);
  assert.is((await server.kill('SIGTERM')).code, 0);
  assert.is(await server.start(), null);
  await pass(100);
  running = false;
  const counts = await Promise.all(sent);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const texts = await read(reader, total);
  for (const [i, count] of counts.entries()) {
    const own = texts.filter((text) => text.startsWith(`${i} `));
    assert.equal(
      own,
      Array.from({ length: count }, (_, n) => `${i} ${n}`),
    );
  }
  await Promise.all([reader, ...senders].map((client) => client.close()));
  await server.kill();
});

test('a client comes back when it was told to, and by its own back-off the next time', async () => {
  const dialled: number[] = [];
  const dial: Dial = (_, events) => {
    dialled.push(performance.now());
    const about = { slot: 0xffff, firstCounter: 0, count: 0, expected: 0, text: 'away' };
    const away = { ...about, number: ERRORS.restarting.number, retryAfterMs: 400 };
    setImmediate(() => {
      events.opened();
      if (dialled.length === 1) events.frame(encodeError(away));
      events.closed(1012, 'restarting');
    });
    return { send() {}, pause() {}, resume() {}, close() {} };
  };
  const backoff = { backoffFirstMs: 1, backoffMostMs: 1 };
  const options = { kind: 1, world: null as never, dial, url: () => 'ws://x', ...backoff } as const;
  const nothing = () => {};
  const hears = { opened: nothing, frame: nothing, lost: nothing, gone: nothing, retrying: nothing };
  const checkpoint = () => NO_CHECKPOINT;
  const connection = new Connection(options, { checkpoint, requests: () => [], ...hears });
  connection.start();
  while (dialled.length < 4) await pass(5);
  connection.close();
  const [first, second, , fourth] = dialled as [number, number, number, number];
  assert.ok(second - first >= 395, `${second - first} ms`);
  assert.ok(fourth - second < 395, `${fourth - second} ms`);
});

test('told once more, it hurries', async () => {
  const cwd = directory('hurry');
  const flags = ['--shutdown-sockets-per-second', '1', '--shutdown-close-ms', '600000'];
  const program = start(['serve', '--port', '0', '--internal-port', '0', ...flags], { cwd });
  await program.said(/^Try it/m);
  const url = /listens on (\S+)/.exec(program.output())![1]!;
  const raws = await Promise.all(Array.from({ length: 40 }, () => Raw.connect(url, FRONT)));
  program.child.kill('SIGTERM');
  await Promise.race(raws.map((raw) => raw.closed));
  assert.ok(raws.filter((raw) => raw.socket.readyState === 1).length > 20, 'all were closed at once');
  program.child.kill('SIGINT');
  for (const raw of raws) assert.is((await raw.closed).code, 1012);
  assert.is((await program.ended).status, 0);
});

test('told once more, it waits for no epoch', async () => {
  const cwd = directory('hurry');
  const never = ['--epoch-min-interval-ms', '600000', '--epoch-heartbeat-ms', '600000'];
  const flags = ['--submissions', 'accepted', ...never];
  const program = start(['serve', '--port', '0', '--internal-port', '0', ...flags], { cwd });
  await program.said(/^Try it/m);
  const url = /listens on (\S+)/.exec(program.output())![1]!;
  const raw = await Raw.session(url, FRONT, 'anna');
  // The first is placed at once, and the next epoch is not due for long.
  raw.send(submitOf('anna'));
  await raw.next(FRAME.placed);
  raw.send(encodeSubmit(0, 2, [bundleTo('anna')]));
  raw.send(encodeSubmit(0, 3, [bundleTo('nobody')]));
  await raw.error();
  program.child.kill('SIGTERM');
  await pass(200);
  assert.is(raw.socket.readyState, 1, 'it drains');
  const began = performance.now();
  program.child.kill('SIGTERM');
  assert.is((await raw.closed).code, 1012);
  assert.is((await program.ended).status, 0);
  assert.ok(performance.now() - began < 15_000, `${performance.now() - began} ms`);
});

test.run();
