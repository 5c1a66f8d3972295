/** A thread of its own that sends to itself, one message after another, and takes the time to each receipt. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { clientAt } from './attacked.js';

/** Milliseconds from sending to the proven receipt: the median, and what 99 of 100 stay below. */
export type Latencies = readonly [number, number];

/** Starts talking; the function that it resolves with ends it. */
export async function talk(url: string, name: string): Promise<() => Promise<Latencies>> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { url, name } });
  await once(worker, 'message');
  return async () => {
    worker.postMessage('stop');
    const [latencies] = (await once(worker, 'message')) as [Latencies];
    return latencies;
  };
}

async function run({ url, name }: { url: string; name: string }): Promise<void> {
  const port = parentPort!;
  let talking = true;
  port.once('message', () => {
    talking = false;
  });
  const client = await clientAt(url, name);
  const times: number[] = [];
  port.postMessage('ready');
  while (talking || times.length === 0) {
    const began = performance.now();
    await client.send({ to: client.id, body: 'x' });
    times.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await client.close();
  times.sort((a, b) => a - b);
  const at = (part: number) => Math.round(times[Math.floor((times.length - 1) * part)]! * 10) / 10;
  port.postMessage([at(0.5), at(0.99)]);
}

if (!isMainThread && workerData) await run(workerData);
