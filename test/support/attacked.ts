/** Servers in processes of their own, and crowds of clients, for the tests of attacks. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type Client, connect } from '../../src/client/index.js';
import { directory } from '../client-helpers.js';
import { keyOf } from './names.js';
import { Raw } from './raw.js';
import { ServerProcess } from './server-process.js';

/** Starts it, gives it to the test, and leaves nothing running. */
export async function serving(server: ServerProcess, run: () => Promise<void>): Promise<void> {
  assert.is(await server.start(), null);
  try {
    await run();
  } finally {
    await server.kill();
  }
}

export const clientAt = (url: string, name: string, options = {}): Promise<Client> =>
  connect({ url, key: keyOf(name), backoffFirstMs: 20, backoffMostMs: 200, ...options });

/** Memory of its own, in MiB; not the pages of the store, which the system may take back. */
export function memoryOf({ pid }: ServerProcess): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

/** So many sessions at once; afterwards there is still room for one more. */
export async function crowd(sockets: number): Promise<void> {
  const server = await ServerProcess.at(directory('crowd'), { threads: '1', 'limits-handshake-ms': '60000' });
  await serving(server, async () => {
    const began = performance.now();
    const raws = await Promise.all(
      Array.from({ length: sockets }, (_, i) => Raw.session(server.url, '/v1/front', `one of many ${i}`)),
    );
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${sockets} sessions in ${seconds} s, ${memoryOf(server).toFixed(0)} MiB`);
    const anna = await clientAt(server.url, 'anna');
    await anna.send({ to: anna.id, body: 'room for one more' });
    await anna.close();
    for (const raw of raws) raw.close();
  });
}
