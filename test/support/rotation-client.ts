/** A server at one address that is stopped, changed and started again, and clients of it; and changes that are refused. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { freePort } from '../../src/cli/demo/server-process.js';
import { type Client, type Store, VerificationError } from '../../src/client/index.js';
import type { Server } from '../../src/server/index.js';
import type { OperatorError } from '../../src/server/operator-error.js';
import { clientOf, directory, serverAt } from '../client-helpers.js';

/** A server that is stopped, changed and started again at one address. `first`: settings; numbers of actors are of the first start. */
export async function house(first: Record<string, string> = { outboxes: '2' }) {
  const { inboxes = '1', outboxes = '1', ...rest } = first;
  const flags = { port: `${await freePort()}`, ...rest };
  let data = directory('rotation');
  let server = await serverAt(data, { ...flags, inboxes, outboxes });
  return {
    get server() {
      return server;
    },
    get data() {
      return data;
    },
    copy(): string {
      const to = directory('rotation');
      for (const part of ['store', 'keys']) cpSync(join(data, part), join(to, part), { recursive: true });
      return to;
    },
    async again(change: () => Promise<unknown>, at = data): Promise<void> {
      await server.stop();
      await change();
      data = at;
      server = await serverAt(data, flags);
    },
  };
}

export const back = (server: Server, name: string, store: Store) => clientOf(server, name, { store });

/** The next messages, each with where it was signed. */
export async function texts(client: Client, count: number) {
  const found: { text: string; claim: Uint8Array }[] = [];
  for await (const message of client.mailbox()) {
    found.push({ text: Buffer.from(message.body).toString(), claim: await message.claim() });
    if (found.length === count) break;
  }
  return found;
}

/** What an operator asks for is refused with this code. */
export async function refused(code: OperatorError['code'], run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    assert.is((error as OperatorError).code, code);
    return;
  }
  assert.unreachable(`no ${code}`);
}

export async function failure(promise: Promise<unknown>): Promise<VerificationError> {
  try {
    await promise;
  } catch (error) {
    assert.instance(error, VerificationError, String(error));
    return error as VerificationError;
  }
  throw new Error('nothing is refused');
}
