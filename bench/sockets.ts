/**
 * Open sockets: what each costs, and what they cost those who talk; all of them connecting at once, and
 * coming back at once; readers that do not read. Two servers in processes of their own, with the same few
 * clients and the same load: one has all the idle sockets, the other none. They are measured in turns.
 *
 *   npm run -s bench:sockets -- [--sockets 10000] [--live 10] [--rate 200] [--slow 40] [--megabytes 10]
 *                               [--seconds 4] [--turns 4] [--json] [-- server flags]
 *
 * Half of the idle sockets are fronts, half are outboxes, of as many keys: they go through the whole
 * handshake, answer pings and acknowledge what comes. The live clients are the client library's, and
 * verify everything: each sends to the next and, with every tenth message, to some idle mailbox, too.
 * Latency is from send() to the verified delivery. Open loop: so many messages a second, whatever happens.
 *
 * Then --slow of the outbox sockets stop reading, down to TCP, and each is sent so many megabytes. The live
 * load goes on, in turns with its tenth message to those who do not read and to as many who do. At last they
 * read on. Then the server is killed and started again, and all sockets come back at once.
 */

import type { Histogram } from 'hdr-histogram-js';
import { freePort } from '../src/cli/demo/server-process.js';
import { progressOn } from '../src/cli/progress.js';
import { SESSION_KIND, toHex } from '../src/protocol/index.js';
import { readArguments } from './arguments.js';
import { IdleSocket } from './idle-socket.js';
import { bundleFor, LightSender } from './light-client.js';
import { LiveLoad, newLatencies } from './live-load.js';
import { memoryOf, newDirectory, type RunningServer, startServer } from './server-process.js';
import { signerOf } from './systems/countersign-keys.js';

const USAGE = `npm run -s bench:sockets -- [--sockets 10000] [--live 10] [--rate 200] [--slow 40] [--megabytes 10]
                            [--seconds 4] [--turns 4] [--json] [-- server flags]

What open sockets cost, all of them connecting and coming back at once, and readers that do not read.`;

const { values, positionals } = readArguments(USAGE, {
  allowPositionals: true,
  options: {
    sockets: { type: 'string', default: '10000' },
    live: { type: 'string', default: '10' },
    rate: { type: 'string', default: '200' },
    slow: { type: 'string', default: '40' },
    megabytes: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '4' },
    turns: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
  },
});
const knob = (name: Exclude<keyof typeof values, 'json' | 'seconds'>) => {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`--${name}: expected a positive integer`);
  return value;
};
const [socketCount, liveCount, rate, slowCount] = [knob('sockets'), knob('live'), knob('rate'), knob('slow')];
const [megabytes, turns, seconds] = [knob('megabytes'), knob('turns'), Number(values.seconds)];
const keyCount = Math.floor(socketCount / 2);
if (keyCount < 2 * slowCount) throw new TypeError('--sockets: expected at least four for each of --slow');

const BODY_BYTES = 250_000;
const LATE_MS = 120_000;
const MIB = 2 ** 20;
const signers = Array.from({ length: keyCount }, (_, i) => signerOf(`idle ${i}`));
const idle = signers.map(({ publicKey }) => publicKey);
const flags = ['--inboxes', '1', '--outboxes', '1', '--submissions', 'accepted', ...positionals];

const say = (line: string) => void (values.json || process.stdout.write(`${line}\n`));
const progress = progressOn(process.stdout, !values.json, say);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const round = (value: number) => Math.round(value * 100) / 100;
const result: Record<string, Record<string, number>> = {};

// ---- all sockets at once

/** Until the last of them is open. Each socket that failed tries again. */
async function connectAll(
  name: string,
  server: RunningServer,
  sockets: readonly IdleSocket[],
): Promise<void> {
  progress.start(name, sockets.length);
  const tries = () => sockets.reduce((sum, { retries }) => sum + retries, 0);
  const [began, before] = [performance.now(), tries()];
  let open = 0;
  await Promise.all(sockets.map((socket) => socket.connect().then(() => progress.at(++open))));
  const taken = performance.now() - began;
  const [main, ...workers] = await server.probe();
  result[name] = {
    sockets: sockets.length,
    seconds: round(taken / 1000),
    retries: tries() - before,
    mainThreadBlockedMs: Math.round(main!.blockedMs),
    workerBlockedMs: Math.round(Math.max(...workers.map(({ blockedMs }) => blockedMs))),
  };
}

// ---- the live load

interface Side {
  readonly name: string;
  readonly load: LiveLoad;
  readonly others: readonly Uint8Array[];
}

/** One side after the other, over and over: what shakes the machine shakes both. */
async function inTurns(title: string, one: Side, other: Side): Promise<void> {
  const sides = [one, other].map((side) => ({ ...side, all: newLatencies() }));
  progress.start(title, 2 * turns);
  for (const { load, others } of sides) await load.run(Math.min(500, seconds * 1000), rate, others);
  for (let turn = 0; turn < turns; turn++) {
    for (const [i, { load, others, all }] of (turn % 2 ? [...sides].reverse() : sides).entries()) {
      all.add(await load.run(seconds * 1000, rate, others));
      progress.at(2 * turn + i + 1);
    }
  }
  const ms = (histogram: Histogram, percentile: number) =>
    round(histogram.getValueAtPercentile(percentile) / 1000);
  const [first, second] = sides.map(({ all }) => all);
  for (const { name, all } of sides)
    result[name] = { messages: all.totalCount, p50Ms: ms(all, 50), p99Ms: ms(all, 99) };
  result[`${title}, ratio`] = {
    p50: round(ms(second!, 50) / ms(first!, 50)),
    p99: round(ms(second!, 99) / ms(first!, 99)),
  };
}

// ---- readers that do not read

/** What all idle mailboxes were sent arrived at their sockets, in order. */
async function allArrived(sockets: readonly IdleSocket[], expected: (i: number) => number): Promise<void> {
  const late = performance.now() + LATE_MS;
  for (const [i, socket] of sockets.entries()) {
    while (socket.entries < expected(i)) {
      if (performance.now() > late)
        throw new Error(`socket ${i}: ${socket.entries} of ${expected(i)} arrived`);
      await pause(10);
    }
    if (socket.entries > expected(i) || socket.misordered > 0)
      throw new Error(`socket ${i}: not once, in order`);
  }
}

async function slowReaders(
  server: RunningServer,
  load: LiveLoad,
  outboxes: readonly IdleSocket[],
): Promise<void> {
  const slow = outboxes.slice(0, slowCount);
  const [slowIds, readingIds] = [idle.slice(0, slowCount), idle.slice(slowCount, 2 * slowCount)];
  const before = memoryOf(server.pid).own;
  let peak = before;
  const sampling = setInterval(() => {
    peak = Math.max(peak, memoryOf(server.pid).own);
  }, 100);
  for (const socket of slow) socket.pause();
  const count = Math.ceil((megabytes * 1e6) / BODY_BYTES);
  progress.start('megabytes for readers that do not read', count);
  const sender = await LightSender.open(server.url.replace('http', 'ws'), 'flood');
  await sender.run(count, 4, 1, () => bundleFor(slowIds, BODY_BYTES), progress.at);
  sender.close();
  await inTurns(
    'slow readers',
    { name: 'tenth message to readers', load, others: readingIds },
    { name: 'tenth message to those who do not read', load, others: slowIds },
  );
  clearInterval(sampling);
  const arrivedBefore = slow.reduce((sum, { entries }) => sum + entries, 0);
  const began = performance.now();
  for (const socket of slow) socket.resume();
  await allArrived(outboxes, (i) => (load.sentToOthers.get(idle[i]!) ?? 0) + (i < slowCount ? count : 0));
  result['readers that did not read'] = {
    readers: slowCount,
    waitingMB: Math.round((count * BODY_BYTES * slowCount) / 1e6),
    serverMiBBefore: Math.round(before / MIB),
    serverMiBPeak: Math.round(peak / MIB),
    messagesAfterwards: slow.reduce((sum, { entries }) => sum + entries, 0) - arrivedBefore,
    secondsToAll: round((performance.now() - began) / 1000),
  };
}

// ---- the run

const data = newDirectory();
const port = `${await freePort()}`;
const startCrowded = () => startServer([...flags, '--port', port], { preload: 'probe', data });
const alone = await startServer(flags, { preload: 'probe' });
let crowded = await startCrowded();
try {
  const ids = idle.map((id) => `${toHex(id)}\n`);
  for (let i = 0; i < keyCount; i += 10_000) {
    const body = ids.slice(i, i + 10_000).join('');
    const answer = await fetch(`${alone.internalUrl}/v1/mailboxes`, { method: 'PUT', body });
    if (!answer.ok) throw new Error(await answer.text());
  }
  const base = crowded.url.replace('http', 'ws');
  const fronts = signers.map((signer) => new IdleSocket(base, SESSION_KIND.front, signer));
  const outboxes = signers.map((signer) => new IdleSocket(base, SESSION_KIND.outbox, signer));
  const sockets = [...fronts, ...outboxes];

  await crowded.probe();
  const before = memoryOf(crowded.pid).own;
  await connectAll('all connect at once', crowded, sockets);
  await pause(seconds * 250);
  const perSocket = (memoryOf(crowded.pid).own - before) / sockets.length;
  result['memory'] = { serverMiB: Math.round(before / MIB), bytesPerSocket: Math.round(perSocket) };

  const loads = {
    alone: await LiveLoad.on(alone.url, liveCount),
    crowded: await LiveLoad.on(crowded.url, liveCount),
  };
  await inTurns(
    'idle sockets',
    { name: 'live sockets alone', load: loads.alone, others: idle },
    { name: `with ${sockets.length} idle sockets`, load: loads.crowded, others: idle },
  );
  const [main, worker] = await crowded.probe();
  result['event loops under live load'] = {
    mainThreadBlockedMs: Math.round(main!.blockedMs),
    workerBlockedMs: Math.round(worker!.blockedMs),
  };
  await slowReaders(crowded, loads.crowded, outboxes);

  const lost = Promise.all(sockets.map((socket) => socket.lost()));
  await crowded.stop('SIGKILL');
  await lost;
  crowded = await startCrowded();
  await connectAll('all come back at once', crowded, sockets);
  const after = await loads.crowded.run(seconds * 1000, rate, idle);
  result['after the restart'] = {
    messages: after.totalCount,
    p99Ms: round(after.getValueAtPercentile(99) / 1000),
  };
  progress.stop();
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else for (const [name, figures] of Object.entries(result)) console.table({ [name]: figures });
} finally {
  await Promise.all([alone.stop('SIGKILL'), crowded.stop('SIGKILL')]);
  alone.remove();
  crowded.remove();
}
process.exit();
