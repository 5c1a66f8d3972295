/**
 * Idle mailboxes: what each costs a running server in memory, and what all of them cost a start and a move.
 *
 *   npm run -s bench:idle -- [--mailboxes 1000000] [--messages 200000] [--settle 3] [--json] [-- server flags]
 *
 * Registers a quarter of so many mailboxes over the internal port, sends messages to mailboxes picked at
 * random, so that every cache is full, then one message to every mailbox, 500 recipients at a time; and all that
 * again with the whole number. Nobody reads: all of it stays in the mailboxes. Then the server is stopped
 * and started, and killed in the middle of the same load and started, until a session of one of the mailboxes is open; and
 * its mailboxes are moved, to two outboxes and two inboxes and back.
 *
 * Beyond the empty server counts everything, also what traffic costs among any number of mailboxes (buffers,
 * recent epochs, compiled code). Beyond the quarter, which had all that traffic before, counts what grows with the number.
 * Own memory is RssAnon, measured after the garbage of every thread is collected. Pages of the store's file
 * that are in memory are shown beside it: they are the system's cache, which it may take back.
 */

import { progressOn } from '../src/cli/progress.js';
import { SESSION_KIND, toHex } from '../src/protocol/index.js';
import { readArguments } from './arguments.js';
import { bundleFor, LightSender, open } from './light-client.js';
import { manyKeys } from './many-keys.js';
import {
  type CommandFigures,
  memoryOf,
  newDirectory,
  type RunningServer,
  startServer,
  timeCommand,
} from './server-process.js';
import { signerOf } from './systems/countersign-keys.js';

const USAGE = `npm run -s bench:idle -- [--mailboxes 1000000] [--messages 200000] [--settle 3] [--json] [-- server flags]

What idle mailboxes cost a running server in memory, and what all of them cost a start and a move.`;

const { values, positionals } = readArguments(USAGE, {
  allowPositionals: true,
  options: {
    mailboxes: { type: 'string', default: '1000000' },
    messages: { type: 'string', default: '200000' },
    settle: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});
const [mailboxCount, messageCount] = [Number(values.mailboxes), Number(values.messages)];
const quarter = Math.ceil(mailboxCount / 4);
const IDS_PER_REQUEST = 10_000;
const RECIPIENTS = 500;
/** Before and after garbage is collected. */
const settleMs = Number(values.settle) * 1000;
const MIB = 2 ** 20;

const flags = [
  '--mailboxes',
  'registered',
  '--outboxes',
  '1',
  '--inboxes',
  '1',
  '--submissions',
  'accepted',
  ...positionals,
];
const say = (line: string) => void (values.json || process.stdout.write(`${line}\n`));
const progress = progressOn(process.stdout, !values.json, say);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- the load

/** All ids, 32 bytes each: real keys, whose secrets nobody keeps. The first one's is known. */
const ids = new Uint8Array(mailboxCount * 32);
const known = signerOf('idle 0');
const sender = signerOf('sender');
const nextKeys = manyKeys();
const idOf = (i: number) => ids.subarray(i * 32, i * 32 + 32);
const random = (below: number) => idOf(Math.floor(Math.random() * below));

/** The next ids are made while the server takes those before them. */
async function register(internalUrl: string, first: number, end: number): Promise<void> {
  progress.start('registering mailboxes', end);
  const add = async (body: string) => {
    const answer = await fetch(`${internalUrl}/v1/mailboxes`, { method: 'PUT', body });
    if (!answer.ok) throw new Error(`registering: ${await answer.text()}`);
  };
  await add(toHex(sender.publicKey));
  let adding = Promise.resolve();
  for (let from = first; from < end; from += IDS_PER_REQUEST) {
    const to = Math.min(end, from + IDS_PER_REQUEST);
    nextKeys(to - from).forEach((key, i) => void ids.set(key, (from + i) * 32));
    if (from === 0) ids.set(known.publicKey);
    await adding;
    const lines = Array.from({ length: to - from }, (_, i) => `${toHex(idOf(from + i))}\n`);
    adding = add(lines.join(''));
    progress.at(to);
  }
  await adding;
}

async function send(server: RunningServer, title: string, count: number, one: (i: number) => Uint8Array[]) {
  progress.start(title, count);
  const client = await LightSender.open(server.url.replace('http', 'ws'), 'sender');
  const recipients = one(0).length;
  await client.run(
    count,
    recipients > 1 ? 16 : 2048,
    recipients > 1 ? 4 : 64,
    (i) => bundleFor(one(i)),
    progress.at,
  );
  client.close();
}

// ---- what is measured

interface Row {
  readonly state: string;
  readonly ownMiB: number;
  readonly heapsMiB: number;
  readonly storePagesMiB: number;
  /** For each mailbox, beyond the empty server. */
  readonly bytesBeyondEmpty?: number;
  /** For each further mailbox, beyond the quarter's last row. */
  readonly bytesBeyondQuarter?: number;
}
const rows: Row[] = [];
let emptyBytes = 0;
let quarterBytes = 0;

async function measure(server: RunningServer, count: number, what: string): Promise<void> {
  const state = `${count} ${what}`;
  progress.start(`measuring: ${state}`, 1);
  await pause(settleMs);
  const heaps = (await server.probe()).reduce((sum, { heapBytes }) => sum + heapBytes, 0);
  await pause(settleMs);
  const { own, files } = memoryOf(server.pid);
  if (count === 0) emptyBytes = own;
  if (count === quarter) quarterBytes = own;
  rows.push({
    state,
    ownMiB: Math.round(own / MIB),
    heapsMiB: Math.round(heaps / MIB),
    storePagesMiB: Math.round(files / MIB),
    ...(count > 0 && { bytesBeyondEmpty: Math.round((own - emptyBytes) / count) }),
    ...(count > quarter && { bytesBeyondQuarter: Math.round((own - quarterBytes) / (count - quarter)) }),
  });
}

/** Registers the mailboxes from `first` on, and writes to them all. Returns how many it registered a second. */
async function fill(server: RunningServer, first: number, count: number): Promise<number> {
  const began = performance.now();
  await register(server.internalUrl, first, count);
  const perSecond = Math.round((count - first) / ((performance.now() - began) / 1000));
  await measure(server, count, 'registered');
  await send(server, 'messages at random', messageCount, () => [random(count)]);
  await measure(server, count, 'messages at random');
  await send(server, 'a message to each', Math.ceil(count / RECIPIENTS), (group) => {
    const from = group * RECIPIENTS;
    return Array.from({ length: Math.min(RECIPIENTS, count - from) }, (_, i) => idOf(from + i));
  });
  await measure(server, count, 'a message to each');
  return perSecond;
}

/** Seconds from the start of the process until it serves, and until a mailbox is open. */
async function start(data: string): Promise<{ server: RunningServer; ready: number; session: number }> {
  const began = performance.now();
  const seconds = () => Number(((performance.now() - began) / 1000).toFixed(2));
  const server = await startServer(flags, { preload: 'probe', data });
  const ready = seconds();
  const url = `${server.url.replace('http', 'ws')}/v1/outboxes/0`;
  (await open(url, SESSION_KIND.outbox, [known], () => {})).terminate();
  return { server, ready, session: seconds() };
}

/** To so many inboxes and outboxes, while the server is stopped. */
async function move(actors: number): Promise<CommandFigures> {
  const counts = ['--inboxes', String(actors), '--outboxes', String(actors)];
  const taken = await timeCommand(['actors', '--data', data, ...counts]);
  progress.at(actors);
  return taken;
}

const data = newDirectory();
let server = await startServer(flags, { preload: 'probe', data });
try {
  await measure(server, 0, 'mailboxes');
  await fill(server, 0, quarter);
  const registeredPerSecond = await fill(server, quarter, mailboxCount);
  progress.start('restarting', 2);
  await server.stop();
  const afterStop = await start(data);
  server = afterStop.server;
  progress.at(1);
  await measure(server, mailboxCount, 'started again');
  await Promise.race([
    send(server, 'killed while sending', messageCount, () => [random(mailboxCount)]),
    pause(Math.min(5000, messageCount / 10)),
  ]);
  await server.stop('SIGKILL');
  const afterKill = await start(data);
  server = afterKill.server;
  await server.stop();
  progress.start('moving', 2);
  const moves = { 'to two': await move(2), back: await move(1) };
  const afterMove = await start(data);
  server = afterMove.server;
  progress.stop();
  const starts = {
    stopped: { readySeconds: afterStop.ready, sessionSeconds: afterStop.session },
    killed: { readySeconds: afterKill.ready, sessionSeconds: afterKill.session },
    moved: { readySeconds: afterMove.ready, sessionSeconds: afterMove.session },
  };
  if (values.json) {
    const result = {
      mailboxes: mailboxCount,
      messages: messageCount,
      registeredPerSecond,
      rows,
      starts,
      moves,
    };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } else {
    say(`${mailboxCount} mailboxes, registered ${registeredPerSecond} a second`);
    console.table(Object.fromEntries(rows.map(({ state, ...row }) => [state, row])));
    console.table(starts);
    console.table(moves);
  }
} finally {
  await server.stop('SIGKILL');
  server.remove();
}
process.exit();
