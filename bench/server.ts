/**
 * The server alone: the load of throughput.ts by clients that verify nothing, so that the server is
 * what limits. They send bundles made beforehand, count `placed` hints and delivered entries, and
 * acknowledge. Everything is fsynced and signed as always. Closed loop.
 *
 *   npm run -s bench:server -- [--seconds 5] [--warmup 150000] [--recipients 1] [--window 256] [--text] [--profile] [--json] [-- server flags]
 *
 * The measured time begins when --warmup deliveries have come: a slow machine compiles as much code before it as
 * a fast one. With --profile, where the time went in each thread of the server (whole life).
 * With --text the clients speak countersign.v1.json, as a client without a codec does.
 */
import { parseArgs } from 'node:util';
import type WebSocket from 'ws';
import type { Signer } from '#crypto';
import * as p from '../src/protocol/index.js';
import { bundleFor, open, signerOf } from './light-client.js';
import { showServer } from './profile.js';
import { startServer, usageOf } from './server-process.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '150000' },
    recipients: { type: 'string', default: '1' },
    window: { type: 'string', default: '256' },
    text: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [seconds, warmup, recipients, window] = [
  Number(values.seconds),
  Number(values.warmup),
  Number(values.recipients),
  Number(values.window),
];
const [SENDERS, MAILBOXES, SOCKETS, BUNDLES, PER_FRAME] = [16, 1000, 16, 512, 64];
/** What is counted of a frame. */
interface Seen {
  readonly placed: number;
  readonly epoch: number;
  /** How many entries in which slot. */
  readonly links: readonly { readonly slot: number; readonly entries: number }[];
}

const nothing: Seen = { placed: 0, epoch: 0, links: [] };

function seenInBinary(frame: Buffer): Seen {
  if (frame[0] === p.FRAME.placed) return { ...nothing, placed: p.getU16(frame, 13) };
  if (frame[0] !== p.FRAME.deliver) return nothing;
  const { epoch, mailboxes } = p.decodeDeliver(frame);
  const links = mailboxes.flatMap((mailbox) =>
    mailbox.kind === p.MAILBOX_KIND.link ? [{ slot: mailbox.slot, entries: mailbox.entries.length }] : [],
  );
  return { ...nothing, epoch: epoch.epoch, links };
}

function seenInText(text: string): Seen {
  const frame = JSON.parse(text);
  if (frame.type === 'placed') return { ...nothing, placed: frame.messages.length };
  if (frame.type !== 'deliver') return nothing;
  const links = (frame.mailboxes as { slot: number; entries?: unknown[] }[]).flatMap(({ slot, entries }) =>
    entries ? [{ slot, entries: entries.length }] : [],
  );
  return { ...nothing, epoch: Number(frame.epoch.epoch), links };
}

const seenIn = (message: Buffer) => (values.text ? seenInText(String(message)) : seenInBinary(message));

const count = { placed: 0, delivered: 0, epochs: new Set<number>() };

function onDelivery(message: Buffer, socket: WebSocket): void {
  const { epoch, links } = seenIn(message);
  if (links.length === 0) return;
  count.epochs.add(epoch);
  for (const { entries } of links) count.delivered += entries;
  const acks = links.map(({ slot }) => ({ slot, epoch }));
  const frame = p.encodeAck(acks);
  socket.send(values.text ? p.frameToJson(frame) : frame);
}

/** A bundle as it goes into a submit frame. */
function asText(bundle: Uint8Array): string {
  return JSON.stringify(JSON.parse(p.frameToJson(p.encodeSubmit(0, 1, [bundle]))).bundles[0]);
}

async function startSender(base: string, name: string, mailboxes: readonly Signer[]): Promise<() => void> {
  const pool = Array.from({ length: BUNDLES }, () => {
    const to = new Set<Signer>();
    while (to.size < recipients) to.add(mailboxes[Math.floor(Math.random() * mailboxes.length)]!);
    const bundle = bundleFor([...to].map(({ publicKey }) => publicKey));
    return { bundle, text: values.text ? asText(bundle) : '' };
  });
  let next = 1;
  let underWay = 0;
  const pump = (socket: WebSocket) => {
    while (underWay < window) {
      const n = Math.min(PER_FRAME, window - underWay);
      const chosen = Array.from({ length: n }, (_, i) => pool[(next + i) % BUNDLES]!);
      if (values.text) {
        const bundles = chosen.map(({ text }) => text).join(',');
        socket.send(`{"type":"submit","slot":0,"flags":0,"firstCounter":"${next}","bundles":[${bundles}]}`);
      } else {
        const bundles = chosen.map(({ bundle }) => bundle);
        socket.send(p.encodeSubmit(0, next, bundles));
      }
      next += n;
      underWay += n;
    }
  };
  const onFrame = (message: Buffer, socket: WebSocket) => {
    const { placed } = seenIn(message);
    if (placed === 0) return;
    count.placed += placed;
    underWay -= placed;
    pump(socket);
  };
  const signers = [signerOf(name)];
  const socket = await open(`${base}/v1/front`, p.SESSION_KIND.front, signers, onFrame, values.text);
  return () => pump(socket);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const server = await startServer(positionals, { profile: values.profile });
try {
  const base = server.url.replace('http', 'ws');
  const mailboxes = Array.from({ length: MAILBOXES }, (_, i) => signerOf(`mailbox ${i}`));
  for (let socket = 0; socket < SOCKETS; socket++) {
    // With several outboxes a mailbox is where placement says; this load asks for one.
    await open(
      `${base}/v1/outboxes/0`,
      p.SESSION_KIND.outbox,
      mailboxes.filter((_, i) => i % SOCKETS === socket),
      onDelivery,
      values.text,
    );
  }
  const pumps: (() => void)[] = [];
  for (let i = 0; i < SENDERS; i++) pumps.push(await startSender(base, `sender ${i}`, mailboxes));
  for (const pump of pumps) pump();
  while (count.delivered < warmup) await pause(20);
  const before = {
    ...count,
    epochs: count.epochs.size,
    cpu: usageOf(server.pid).cpu,
    client: process.cpuUsage(),
    at: performance.now(),
  };
  await pause(seconds * 1000);
  const elapsed = (performance.now() - before.at) / 1000;
  const placed = count.placed - before.placed;
  const client = process.cpuUsage(before.client);
  const usage = usageOf(server.pid);
  const result = {
    placedPerSecond: Math.round(placed / elapsed),
    deliveredPerSecond: Math.round((count.delivered - before.delivered) / elapsed),
    epochsPerSecond: Math.round((count.epochs.size - before.epochs) / elapsed),
    serverCpuSecondsPerMillion: ((usage.cpu - before.cpu) / placed) * 1e6,
    clientCpuSecondsPerMillion: (client.user + client.system) / placed,
    serverPeakMiB: Math.round(usage.peakMiB),
    durable: 'one fsynced transaction per epoch',
    verified: 'nothing: these clients count only',
  };
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else console.table(Object.fromEntries(Object.entries(result).map(([key, value]) => [key, { value }])));
} finally {
  await server.stop();
  if (values.profile) showServer(server.profiles, (line) => process.stdout.write(`${line}\n`));
  server.remove();
}
process.exit();
