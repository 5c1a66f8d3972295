/** A data directory of a real server that has stopped, copies of it, and the program that audits them. */
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Server } from '../../src/server/index.js';
import { Store } from '../../src/server/store.js';
import { clientOf, directory, read, serverAt } from '../client-helpers.js';
import { countersign, type Ended } from './program.js';

export const token = join(mkdtempSync(join(tmpdir(), 'countersign-token-')), 'token');
writeFileSync(token, `${'5a'.repeat(32)}\n`, { mode: 0o600 });
// Without epochs that nothing is in, each has one message.
export const FLAGS = { outboxes: '2', 'operator-token': token, 'epoch-heartbeat-ms': '600000' };

/** So many epochs of a message to two; one of them acknowledges. */
export async function talk(server: Server, epochs: number): Promise<void> {
  const [ann, ben, cleo] = await Promise.all(['ann', 'ben', 'cleo'].map((name) => clientOf(server, name)));
  for (let i = 0; i < epochs; i++) await ann!.send({ to: [ben!.id, cleo!.id], body: `message ${i}` });
  await read(ben!, 1);
  for (const client of [ann!, ben!, cleo!]) await client.close();
}

export const original = directory('audit');
/** The server that it is of. */
export const first = await serverAt(original, FLAGS);
await talk(first, 4);
await first.stop();
export const newest = first.checkpoint();

/** A copy, with what a test changes in its store. */
export async function changed(
  change: (store: Store, put: (key: Uint8Array, value: Uint8Array | null) => Promise<void>) => Promise<void>,
) {
  const data = directory('audit');
  for (const part of ['store', 'keys']) cpSync(join(original, part), join(data, part), { recursive: true });
  const store = Store.open(data, () => {});
  const put = (key: Uint8Array, value: Uint8Array | null) =>
    new Promise<void>((done) => store.write([{ key, value }], done));
  await change(store, put);
  await store.close();
  return data;
}

export const audit = (...args: string[]) => countersign(['audit', ...args, '--json']);

export function result({ status, stdout, stderr }: Ended, expected: number) {
  assert.is(status, expected, stderr);
  return JSON.parse(stdout);
}
