/** Stopping in order: everything taken in is told first, and clients neither leave nor return all at once. */
import { setTimeout as pass } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Connection } from '../src/client/connection.js';
import type { Dial } from '../src/client/socket.js';
import { ERRORS, encodeError, encodeSubmit, FRAME } from '../src/protocol/index.js';
import { directory } from './client-helpers.js';
import { start } from './support/program.js';
import { NO_CHECKPOINT, Raw } from './support/raw.js';
import { bundleTo, FRONT, submitOf } from './support/shutdown.js';

const test = suite('shutdown');

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
  const flags = ['--epoch-min-interval-ms', '600000', '--epoch-heartbeat-ms', '600000'];
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
