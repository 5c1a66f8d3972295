/**
 * One client that reads, in a process of its own, so that its CPU and memory are told apart: JSON of `Told` as the one
 * argument, its id as the first line it prints, `Took` as the last. Needs --expose-gc.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from '../../src/client/client.js';
import { Vectors } from '../../src/client/vectors-entry.js';
import { dial } from '../../src/client/websocket.js';

export interface Told {
  readonly url: string;
  /** 32 bytes, in hexadecimal. */
  readonly key: string;
  readonly messages: number;
  /** It can compare with others; how much it keeps for that. */
  readonly letGo: { readonly keepEpochs: number } | { readonly headsOnly: number } | null;
}

export interface Took {
  /** CPU, in µs; of the messages but the first tenth. */
  readonly perMessage: number;
  /** Of it, on average. */
  readonly messagesInEpoch: number;
  /** Received beyond bodies. */
  readonly bytesBeyondBody: number;
  readonly memory: number;
  /** CPU in µs of making a block for a peer, and of checking one. */
  readonly block: { readonly makes: number; readonly checks: number; readonly bytes: number } | null;
}

const BLOCKS = 20_000;

const { url, key, messages, letGo } = JSON.parse(process.argv[2]!) as Told;
let bytes = 0;
const counting: typeof dial = (to, events) =>
  dial(to, {
    ...events,
    opened: () => events.opened(),
    closed: (code, reason) => events.closed(code, reason),
    frame: (frame) => {
      bytes += frame.length;
      events.frame(frame);
    },
  });
const vectors = letGo && new Vectors({ letGo });
const client = await Client.connect(
  { url, key: Uint8Array.from(Buffer.from(key, 'hex')), ...(vectors && { vectors }) },
  counting,
);
console.log(Buffer.from(client.id).toString('hex'));

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function cpuOf(times: number, run: () => void): number {
  const before = cpu();
  for (let i = 0; i < times; i++) run();
  return (cpu() - before) / times;
}

const warm = Math.floor(messages / 10);
let before = { cpu: 0, bytes: 0 };
let [taken, bodies, epochs, epoch] = [0, 0, 0, 0];
let peer: Uint8Array = client.id;
for await (const message of client.mailbox()) {
  if (taken === warm) before = { cpu: cpu(), bytes };
  if (taken >= warm) bodies += message.body.length;
  if (taken >= warm && message.place.epoch > epoch) epochs++;
  epoch = message.place.epoch;
  peer = message.sender;
  if (++taken === messages) break;
}
const perMessage = (cpu() - before.cpu) / (messages - warm);
const bytesBeyondBody = (bytes - before.bytes - bodies) / (messages - warm);
// What is acknowledged is let go.
await wait(1000);
const { gc } = globalThis as unknown as { gc: () => void };
gc();
gc();
const { heapUsed, external } = process.memoryUsage();
const own = vectors?.block(peer);
const block = vectors && {
  bytes: own!.length,
  makes: cpuOf(BLOCKS, () => vectors.block(peer)),
  checks: cpuOf(BLOCKS, () => vectors.check(peer, own!)),
};
const messagesInEpoch = (messages - warm) / epochs;
const took: Took = { perMessage, messagesInEpoch, bytesBeyondBody, memory: heapUsed + external, block };
await client.close();
console.log(JSON.stringify(took));
