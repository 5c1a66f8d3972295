/**
 * `npm run costs [-- --messages N]`: what proof and comparing cost clients, measured over real sockets, and what a server keeps for
 * openings. Prints the rows of the table in docs/ACCOUNTABILITY.md; figures of time are of the machine and the moment.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../../bench/arguments.js';
import { connectMany } from '../../src/client/index.js';
import { directory } from '../client-helpers.js';
import { epochOf, kept, OPENED, type Traffic } from '../support/kept-for-openings.js';
import { ServerProcess } from '../support/server-process.js';
import { disputed } from './dispute.js';
import { type FramedCosts, framed } from './framed.js';
import type { Told, Took } from './receiver.js';

const USAGE = `Usage: npm run costs -- [--messages N]

What proof and comparing cost clients, over real sockets: the rows of the table in docs/ACCOUNTABILITY.md.

  --messages N     to each client: 30000`;
const { values } = readArguments(USAGE, { options: { messages: { type: 'string', default: '30000' } } });
const MESSAGES = Number(values.messages);
const BODY = 128;
const WINDOW = 64;
const RECEIVER = fileURLToPath(new URL('./receiver.js', import.meta.url));

const few = 100;
const many = 2000;
const members = 50;

const say = (what: string) => process.stderr.write(`${what}\n`);

/** Peers write to one client in turns; what that costs it. */
async function received(peers: number, letGo: Told['letGo']): Promise<Took> {
  say(`${MESSAGES} messages of ${peers} peers to one client, ${JSON.stringify(letGo)}`);
  const server = await ServerProcess.at(directory('costs'));
  const failed = await server.start();
  if (failed) throw new Error(`the server did not start: ${failed.text}`);
  try {
    return await receivedFrom(server.url, peers, letGo);
  } finally {
    await server.kill('SIGTERM');
  }
}

async function receivedFrom(url: string, peers: number, letGo: Told['letGo']): Promise<Took> {
  const told: Told = { url, key: randomBytes(32).toString('hex'), messages: MESSAGES, letGo };
  const child = spawn(process.execPath, ['--expose-gc', RECEIVER, JSON.stringify(told)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const id = (await lines.next()).value as string;
  const keys = Array.from({ length: peers }, () => Uint8Array.from(randomBytes(32)));
  const gateway = await connectMany({ url, keys, onMessages: () => {} });
  let sent = 0;
  const talk = async () => {
    for (let i = sent++; i < MESSAGES; i = sent++)
      await gateway.send(i % peers, { to: id, body: randomBytes(BODY) });
  };
  await Promise.all(Array.from({ length: WINDOW }, talk));
  const took = (await lines.next()).value as string | undefined;
  if (child.exitCode === null) await once(child, 'exit');
  await gateway.close();
  if (took === undefined) throw new Error(`the receiver ended with exit code ${child.exitCode}`);
  return JSON.parse(took) as Took;
}

/** Bytes that a server keeps of a message, for openings: of one to one recipient where all mailboxes send signed frames, unless told. */
function keptOf(messagesPerFrame: number, other: Partial<Traffic> = {}): string {
  const traffic = { mailboxes: few, messagesPerFrame, recipients: 1, signed: true, ...other };
  const { mailboxes, senders = mailboxes } = traffic;
  say(`an epoch of ${JSON.stringify(traffic)}`);
  const { side, epoch } = epochOf(traffic);
  return bytes(kept(side, epoch, OPENED) / (senders * messagesPerFrame));
}

const us = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} µs`;
const bytes = (value: number) => `${Math.round(value).toLocaleString('en')} bytes`;

const cpu = ({ perMessage, messagesInEpoch }: Took) =>
  `${us(perMessage)}, ${messagesInEpoch.toFixed(1)} in an epoch`;

const beyond = ({ mean, least, most }: FramedCosts) =>
  `${bytes(mean)} on average, ${least.toLocaleString('en')} to ${most.toLocaleString('en')}`;

const plain = await received(few, null);
const keeping = await received(few, { keepEpochs: 1024 });
const heads = await received(few, { headsOnly: 1024 });
const crowd = await received(many, { headsOnly: 1024 });
const dispute = await disputed(Math.min(400, Math.ceil(MESSAGES / 20)), say);
const [single, group, roster] = [
  await framed(1, false),
  await framed(members, false),
  await framed(members, true),
];
const perPeer = (crowd.memory - heads.memory) / (many - few);

const rows: [string, string][] = [
  ['CPU of a client per received message, verified', cpu(plain)],
  ['… that can compare (`keepEpochs: 1024`)', cpu(keeping)],
  ['… that can only notice (`headsOnly`)', cpu(heads)],
  ['proof per received message, beyond its body', bytes(plain.bytesBeyondBody)],
  [
    'a block, wherever the application puts one',
    `${bytes(keeping.block!.bytes)}; ${us(keeping.block!.makes)} to make, ${us(keeping.block!.checks)} to check`,
  ],
  ['… per message to one, by `frame`', beyond(single)],
  [`… per message to ${members}, by \`frame\``, beyond(group)],
  [`… and with a roster (\`rosters: true\`), to ${members}`, beyond(roster)],
  ['memory per peer', bytes(perPeer)],
  [
    'memory of what is kept to compare',
    `${((keeping.memory - plain.memory) / 2 ** 20).toFixed(1)} MiB after ${MESSAGES.toLocaleString('en')} messages (\`bytes\`: 16 MiB at most)`,
  ],
  [
    `a dispute over one message among ${dispute.epochs.toLocaleString('en')} epochs`,
    `${dispute.frames} frames, ${bytes(dispute.bytes)}, ${Math.round(dispute.ms)} ms`,
  ],
  ['its evidence', `${bytes(dispute.evidence)}; judged in ${dispute.verdictMs.toFixed(1)} ms`],
  [
    'the complaint about it',
    `${dispute.closed} of the stages stayed closed, ${Math.round(dispute.complaintMs)} ms`,
  ],
  ['kept for openings per message, to one recipient, 16 in a frame', keptOf(16)],
  ['… one in a frame', keptOf(1)],
  ['… alone in its epoch', keptOf(1, { mailboxes: 2, senders: 1 })],
  ['… to ten, 16 in a frame', keptOf(16, { recipients: 10 })],
  ['… to ten, one in a frame', keptOf(1, { recipients: 10 })],
  ['… with `submissions: off`, to one, 16 in a frame', keptOf(16, { signed: false })],
  ['… with `submissions: off`, to one, one in a frame', keptOf(1, { signed: false })],
];
console.log('| what | how much |\n|---|---|');
for (const [what, much] of rows) console.log(`| ${what} | ${much} |`);
