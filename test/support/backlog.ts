/** A mailbox with a long backlog, read later while others talk: what is streamed, what memory and time it takes. */
import * as assert from 'uvu/assert';
import { collectGarbage } from '../../src/actors/collect-garbage.js';
import { directory } from '../client-helpers.js';
import { clientAt, memoryOf, serving } from './attacked.js';
import { ServerProcess } from './server-process.js';
import { type Latencies, talk } from './talker.js';

export interface BacklogShape {
  /** Bursts that make an epoch or a few each, and messages in a burst. */
  readonly bursts: number;
  readonly messages: number;
  readonly bodyBytes: number;
}

export interface BacklogFigures {
  readonly epochs: number;
  readonly messages: number;
  readonly fillSeconds: number;
  readonly readSeconds: number;
  /** Most MiB above what there was before the reader came: of the server's own; of the clients' heap and buffers. */
  readonly serverMiB: number;
  readonly clientMiB: number;
  /** Of somebody else, on another thread. */
  readonly quietMs: Latencies;
  readonly meanwhileMs: Latencies;
}

const MIB = 1 << 20;

/** Small heaps for the server's threads: V8 lets garbage lie up to its limit, and what is asked here is what is held. */
const HEAPS = { NODE_OPTIONS: '--max-semi-space-size=1 --max-old-space-size=64' };

/** What this process, in which the clients are, holds. */
function clientMemory(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / MIB;
}

/** Fills the mailbox, reads it, and checks that everything comes once and in order. */
export async function backlog({ bursts, messages, bodyBytes }: BacklogShape): Promise<BacklogFigures> {
  const server = await ServerProcess.at(directory('backlog'), { threads: '1' }, undefined, HEAPS);
  let figures: BacklogFigures | undefined;
  await serving(server, async () => {
    const anna = await clientAt(server.url, 'anna');
    const absent = await clientAt(server.url, 'bob');
    await absent.close();
    const filler = 'x'.repeat(bodyBytes);
    const began = performance.now();
    const epochs = new Set<number>();
    for (let burst = 0, n = 0; burst < bursts; burst++) {
      const sending = Array.from({ length: messages }, () =>
        anna.send({ to: absent.id, body: `${n++} ${filler}` }),
      );
      for (const receipt of await Promise.all(sending)) epochs.add(receipt.place.epoch);
    }
    const filled = performance.now();
    const stopQuiet = await talk(server.url, 'cleo');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const quietMs = await stopQuiet();
    const [serverBefore, clientBefore] = [memoryOf(server), clientMemory()];
    let [serverMost, clientMost] = [0, 0];
    const sampling = [
      setInterval(() => (serverMost = Math.max(serverMost, memoryOf(server))), 20),
      setInterval(() => (clientMost = Math.max(clientMost, clientMemory())), 200),
    ];
    const stop = await talk(server.url, 'dora');
    const start = performance.now();
    const bob = await clientAt(server.url, 'bob');
    let count = 0;
    for await (const message of bob.mailbox()) {
      assert.is(Number.parseInt(Buffer.from(message.body).toString(), 10), count);
      if (++count === bursts * messages) break;
    }
    const read = performance.now();
    const meanwhileMs = await stop();
    for (const each of sampling) clearInterval(each);
    figures = {
      epochs: epochs.size,
      messages: count,
      fillSeconds: Math.round((filled - began) / 100) / 10,
      readSeconds: Math.round((read - start) / 100) / 10,
      serverMiB: Math.round(serverMost - serverBefore),
      clientMiB: Math.round(clientMost - clientBefore),
      quietMs,
      meanwhileMs,
    };
    console.log(JSON.stringify(figures));
    await Promise.all([anna.close(), bob.close()]);
  });
  return figures!;
}
