/** A running server and clients for the tests that use real sockets. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientOptions } from '../src/client/client.js';
import { type Client, connect } from '../src/client/index.js';
import { loadConfig, type Server, type StartOptions, startServer } from '../src/server/index.js';
import { named } from './worlds.js';

export const directory = (name: string) => mkdtempSync(join(tmpdir(), `countersign-${name}-`));

export function serverAt(
  data: string,
  flags: Record<string, string> = {},
  options: StartOptions = {},
): Promise<Server> {
  const config = loadConfig({
    flags: { data, port: '0', 'internal-port': '0', ...flags },
    env: {},
    cores: 2,
  });
  return startServer(config, options);
}

/** Takes what is not signed, too, as clients of a few lines send it. */
export const unsignedAt: typeof serverAt = (data, flags) =>
  serverAt(data, { submissions: 'accepted', ...flags });

export const keyOf = (name: string) => Uint8Array.from(named(`client test key ${name}`));

export function clientOf(
  server: Server,
  name: string,
  options: Partial<ClientOptions> = {},
): Promise<Client> {
  return connect({
    url: server.url,
    key: keyOf(name),
    backoffFirstMs: 20,
    connectTimeoutMs: 60_000,
    ...options,
  });
}

/** The next `count` messages of a mailbox, as texts. */
export async function read(client: Client, count: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of client.mailbox()) {
    texts.push(Buffer.from(message.body).toString());
    if (texts.length === count) break;
  }
  return texts;
}
