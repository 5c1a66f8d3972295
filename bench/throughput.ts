/**
 * End-to-end throughput over real sockets: senders that pipeline, mailboxes that receive, a server in
 * its own process. Everything is fsynced and signed; every receipt and every delivery is verified by
 * the client library inside the timed window; afterwards an audit compares what was sent, receipted
 * and delivered.
 *
 *   npm run -s bench -- [--seconds 10] [--senders 16] [--window 256] [--mailboxes 1000] [--sockets 16]
 *                       [--bytes 128] [--recipients 1] [--warmup 2] [--profile] [--json] [-- server flags]
 *
 * With --profile, where the time went in each thread of the server (whole life) and in the clients
 * (timed window). Profiling itself costs some of the speed.
 *
 * Closed loop: a sender has always `window` messages under way, so latency is what the load makes it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Session } from 'node:inspector/promises';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import * as hdr from 'hdr-histogram-js';
import {
  type Client,
  connect,
  connectMany,
  type Gateway,
  type Message,
  type Receipt,
  type StateChange,
} from '../src/client/index.js';
import { type Place, toHex } from '../src/protocol/index.js';
import { type CpuProfile, showProfile, showServer } from './profile.js';
import { startServer, usageOf } from './server-process.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    warmup: { type: 'string', default: '2' },
    senders: { type: 'string', default: '16' },
    window: { type: 'string', default: '256' },
    mailboxes: { type: 'string', default: '1000' },
    sockets: { type: 'string', default: '16' },
    bytes: { type: 'string', default: '128' },
    recipients: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const knob = (name: Exclude<keyof typeof values, 'json' | 'profile'>) => {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`--${name}: expected a positive integer`);
  return value;
};
const [seconds, warmup, senderCount, window] = [
  knob('seconds'),
  knob('warmup'),
  knob('senders'),
  knob('window'),
];
const [mailboxCount, sockets, bytes, recipients] = [
  knob('mailboxes'),
  knob('sockets'),
  knob('bytes'),
  knob('recipients'),
];
/** A body starts with sender 4 ‖ number 4 ‖ time of sending 8. */
const HEADER_BYTES = 16;
if (bytes < HEADER_BYTES) throw new TypeError(`--bytes: at least ${HEADER_BYTES}`);

const seedOf = (name: string) => Uint8Array.from(createHash('sha256').update(`bench ${name}`).digest());

// ---- where the time goes

/** Profiles this process until the returned function is called. */
async function profileClients(): Promise<() => Promise<CpuProfile>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return profile as CpuProfile;
  };
}

// ---- what is counted and audited

const receiptLatency = hdr.build({
  lowestDiscernibleValue: 1,
  highestTrackableValue: 60_000_000,
  numberOfSignificantValueDigits: 3,
});
const deliveryLatency = hdr.build({
  lowestDiscernibleValue: 1,
  highestTrackableValue: 60_000_000,
  numberOfSignificantValueDigits: 3,
});
const audit = {
  sent: 0,
  receipted: 0,
  delivered: 0,
  misordered: 0,
  duplicated: 0,
  otherPlace: 0,
  unverified: 0,
};
let measuring = false;
let receiptsTimed = 0;
let deliveriesTimed = 0;
let stopping = false;
/** Per sender, by number of the message: its place as first told (0 = not yet), how often it was delivered. */
const places: number[][] = Array.from({ length: senderCount }, () => []);
const deliveries: number[][] = Array.from({ length: senderCount }, () => []);
const lastPlace: number[] = [];
/** By mailbox × sender. */
const lastNumber: number[] = [];
const epochs = new Set<number>();

/** A place as one number that sorts alike: no object is kept per message. */
const ordinal = ({ epoch, inbox, index }: Place) => (epoch * 256 + inbox) * 2 ** 20 + index;

const micros = (from: number) => Math.max(1, Math.round((performance.now() - from) * 1000));

function onReceipt(sender: number, number: number, sentAt: number, receipt: Receipt): void {
  audit.receipted++;
  checkPlace(sender, number, ordinal(receipt.place));
  if (!measuring) return;
  receiptsTimed++;
  receiptLatency.recordValue(micros(sentAt));
}

function onMessages(mailbox: number, messages: readonly Message[]): void {
  for (const { body, place } of messages) {
    const view = new DataView(body.buffer, body.byteOffset);
    const sender = view.getUint32(0);
    const number = view.getUint32(4);
    const at = ordinal(place);
    audit.delivered++;
    checkPlace(sender, number, at);
    if ((lastPlace[mailbox] ?? 0) >= at) audit.misordered++;
    lastPlace[mailbox] = at;
    const pair = mailbox * senderCount + sender;
    if ((lastNumber[pair] ?? -1) >= number) audit.duplicated++;
    lastNumber[pair] = number;
    deliveries[sender]![number] = (deliveries[sender]![number] ?? 0) + 1;
    if (!measuring) continue;
    deliveriesTimed++;
    deliveryLatency.recordValue(micros(view.getFloat64(8)));
  }
  epochs.add(messages[0]!.place.epoch);
}

/** Everybody must see a message at one place. */
function checkPlace(sender: number, number: number, at: number): void {
  const known = places[sender]![number];
  if (known === undefined) places[sender]![number] = at;
  else if (known !== at) audit.otherPlace++;
}

// ---- the load

function runSender(index: number, client: Client, mailboxes: readonly Uint8Array[]): Promise<void> {
  let number = 0;
  let underWay = 0;
  const body = new Uint8Array(randomBytes(bytes));
  return new Promise((resolve, reject) => {
    const sendOne = () => {
      const own = body.slice();
      const view = new DataView(own.buffer);
      const sentAt = performance.now();
      const mine = number++;
      view.setUint32(0, index);
      view.setUint32(4, mine);
      view.setFloat64(8, sentAt);
      underWay++;
      audit.sent++;
      client.send({ to: choose(mailboxes), body: own }).then((receipt) => {
        underWay--;
        onReceipt(index, mine, sentAt, receipt);
        if (!stopping) sendOne();
        else if (underWay === 0) resolve();
      }, reject);
    };
    for (let i = 0; i < window; i++) sendOne();
  });
}

function choose(mailboxes: readonly Uint8Array[]): Uint8Array[] {
  const chosen = new Set<Uint8Array>();
  while (chosen.size < recipients) chosen.add(mailboxes[Math.floor(Math.random() * mailboxes.length)]!);
  return [...chosen];
}

function countFailed({ state }: StateChange): void {
  if (state === 'failed') audit.unverified++;
}

async function openReceivers(url: string): Promise<{ gateways: Gateway[]; ids: Uint8Array[] }> {
  const gateways: Gateway[] = [];
  const ids: Uint8Array[] = [];
  for (let socket = 0; socket < sockets; socket++) {
    const numbers = Array.from({ length: mailboxCount }, (_, i) => i).filter((i) => i % sockets === socket);
    if (numbers.length === 0) continue;
    const keys = numbers.map((i) => seedOf(`mailbox ${i}`));
    const gateway = await connectMany({
      url,
      keys,
      onMessages: (i, messages) => onMessages(numbers[i]!, messages),
    });
    gateway.on('state', countFailed);
    gateways.push(gateway);
    for (const i of numbers.keys()) ids.push(gateway.id(i));
  }
  return { gateways, ids };
}

const say = (line: string) => values.json || process.stdout.write(`${line}\n`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const server = await startServer(positionals, { profile: values.profile });
try {
  say(
    `server ${server.url}, ${mailboxCount} mailboxes on ${sockets} sockets, ${senderCount} senders × ${window} under way`,
  );
  const { gateways, ids } = await openReceivers(server.url);
  const clients: Client[] = [];
  for (let i = 0; i < senderCount; i++)
    clients.push(await connect({ url: server.url, key: seedOf(`sender ${i}`), window }));
  for (const client of clients) client.on('state', countFailed);
  const running = clients.map((client, i) => runSender(i, client, ids));
  await pause(warmup * 1000);
  measuring = true;
  const start = performance.now();
  const stopProfile = values.profile ? await profileClients() : null;
  const before = { server: usageOf(server.pid), client: process.cpuUsage(), epochs: epochs.size };
  for (let second = 1; second <= seconds; second++) {
    const [r, d] = [receiptsTimed, deliveriesTimed];
    await pause(1000);
    say(`${second} s: ${receiptsTimed - r} receipts, ${deliveriesTimed - d} deliveries`);
  }
  measuring = false;
  const clientProfile = await stopProfile?.();
  const elapsed = (performance.now() - start) / 1000;
  const usage = usageOf(server.pid);
  const clientCpu = process.cpuUsage(before.client);
  const epochCount = epochs.size - before.epochs;
  stopping = true;
  await Promise.all(running);
  for (let wait = 0; audit.delivered < audit.sent * recipients && wait < 100; wait++) await pause(50);
  const lost = deliveries.reduce(
    (sum, each, sender) => sum + places[sender]!.filter((_, i) => each[i] !== recipients).length,
    0,
  );
  for (const client of [...clients, ...gateways]) await client.close();
  const ms = (histogram: hdr.Histogram, percentile: number) =>
    histogram.getValueAtPercentile(percentile) / 1000;
  const serverCpu = usage.cpu - before.server.cpu;
  const result = {
    system: 'countersign',
    workload: 'throughput',
    senders: senderCount,
    window,
    mailboxes: mailboxCount,
    bytes,
    recipients,
    seconds: elapsed,
    acknowledgedPerSecond: Math.round(receiptsTimed / elapsed),
    deliveredPerSecond: Math.round(deliveriesTimed / elapsed),
    epochsPerSecond: Math.round(epochCount / elapsed),
    receiptP50Ms: ms(receiptLatency, 50),
    receiptP99Ms: ms(receiptLatency, 99),
    p50Ms: ms(deliveryLatency, 50),
    p99Ms: ms(deliveryLatency, 99),
    p999Ms: ms(deliveryLatency, 99.9),
    ...audit,
    lost,
    totalOrder: audit.misordered === 0 && audit.otherPlace === 0,
    durable: 'one fsynced transaction per epoch',
    verified: 'every receipt and delivery, in the timed window',
    serverCpuSecondsPerMillion: (serverCpu / receiptsTimed) * 1e6,
    clientCpuSecondsPerMillion: (clientCpu.user + clientCpu.system) / receiptsTimed,
    serverPeakMiB: Math.round(usage.peakMiB),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model,
    node: process.version,
    serverId: toHex(clients[0]!.serverId),
  };
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else console.table(Object.fromEntries(Object.entries(result).map(([key, value]) => [key, { value }])));
  const sound = lost + audit.duplicated + audit.misordered + audit.otherPlace + audit.unverified === 0;
  if (!sound) process.exitCode = 1;
  if (clientProfile) showProfile('clients (all in this process)', clientProfile, say);
} finally {
  await server.stop();
  if (values.profile) showServer(server.profiles, say);
  server.remove();
}
