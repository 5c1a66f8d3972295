/**
 * The server alone: the load of throughput.ts by clients that verify nothing, so that the server is
 * what limits. They send bundles made beforehand, count `placed` hints and delivered entries, and
 * acknowledge. Everything is fsynced and signed as always. Closed loop.
 *
 *   npm run -s bench:server -- [--seconds 5] [--recipients 1] [--window 256] [--json] [-- server flags]
 */
import { parseArgs } from 'node:util';
import type WebSocket from 'ws';
import type { Signer } from '#crypto';
import * as p from '../src/protocol/index.js';
import { bundleFor, open, signerOf } from './light-client.js';
import { startServer, usageOf } from './server-process.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    recipients: { type: 'string', default: '1' },
    window: { type: 'string', default: '256' },
    json: { type: 'boolean', default: false },
  },
});
const [seconds, recipients, window] = [
  Number(values.seconds),
  Number(values.recipients),
  Number(values.window),
];
const [SENDERS, MAILBOXES, SOCKETS, BUNDLES, PER_FRAME] = [16, 1000, 16, 512, 64];
const count = { placed: 0, delivered: 0, epochs: new Set<number>() };

function onDelivery(frame: Buffer, socket: WebSocket): void {
  if (frame[0] !== p.FRAME.deliver) return;
  const { epoch, mailboxes } = p.decodeDeliver(frame);
  count.epochs.add(epoch.epoch);
  const acks: p.Ack[] = [];
  for (const mailbox of mailboxes) {
    if (mailbox.kind !== p.MAILBOX_KIND.link) continue;
    count.delivered += mailbox.entries.length;
    acks.push({ slot: mailbox.slot, epoch: epoch.epoch });
  }
  if (acks.length > 0) socket.send(p.encodeAck(acks));
}

async function startSender(base: string, name: string, mailboxes: readonly Signer[]): Promise<() => void> {
  const pool = Array.from({ length: BUNDLES }, () => {
    const to = new Set<Signer>();
    while (to.size < recipients) to.add(mailboxes[Math.floor(Math.random() * mailboxes.length)]!);
    return bundleFor([...to].map(({ publicKey }) => publicKey));
  });
  let next = 1;
  let underWay = 0;
  const pump = (socket: WebSocket) => {
    while (underWay < window) {
      const n = Math.min(PER_FRAME, window - underWay);
      socket.send(
        p.encodeSubmit(
          0,
          next,
          Array.from({ length: n }, (_, i) => pool[(next + i) % BUNDLES]!),
        ),
      );
      next += n;
      underWay += n;
    }
  };
  const socket = await open(`${base}/v1/front`, p.SESSION_KIND.front, [signerOf(name)], (frame) => {
    if (frame[0] !== p.FRAME.placed) return;
    const placed = p.getU16(frame, 13);
    count.placed += placed;
    underWay -= placed;
    pump(socket);
  });
  return () => pump(socket);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const server = await startServer(positionals);
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
    );
  }
  const pumps: (() => void)[] = [];
  for (let i = 0; i < SENDERS; i++) pumps.push(await startSender(base, `sender ${i}`, mailboxes));
  for (const pump of pumps) pump();
  await pause(1500);
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
  server.remove();
}
process.exit();
