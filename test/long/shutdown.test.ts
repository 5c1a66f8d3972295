/** Stopping in order, with many: nobody is sent away before it was told, and nobody returns all at once. */
import { setTimeout as pass } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePlaced, FRAME } from '../../src/protocol/index.js';
import { directory, read } from '../client-helpers.js';
import { clientAt } from '../support/attacked.js';
import { Raw } from '../support/raw.js';
import { ServerProcess } from '../support/server-process.js';
import { FRONT, submitOf } from '../support/shutdown.js';

const test = suite('shutdown');

test('what was taken in is placed and told before anybody is sent away; the going is spread, and the return', async () => {
  const many = 60;
  // An epoch that is not due for long: what comes now is placed by draining alone.
  const paced = {
    'shutdown-sockets-per-second': '60',
    'shutdown-close-ms': '800',
    'shutdown-return-ms': '900',
  };
  const server = await ServerProcess.at(directory('shutdown'), {
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
  const server = await ServerProcess.at(directory('shutdown'), { 'shutdown-sockets-per-second': '20' });
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

test.run();
