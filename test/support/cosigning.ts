/** Servers whose anchors are cosigned; what a test has begun is ended by its hook. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { actorKey, ROLE } from '../../src/protocol/index.js';
import { checkpointKey, encodeVerifierKey } from '../../src/protocol/notes/index.js';
import { loadConfig, type Server, startServer } from '../../src/server/index.js';
import { directory } from '../client-helpers.js';

/** Slow enough that no further anchor comes while a test looks. */
export const STEADY = { 'epoch-heartbeat-ms': '100', 'witnesses-retry-ms': '50' };

export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  ms = 60_000,
): Promise<NonNullable<T>> {
  for (const end = Date.now() + ms; ; ) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A server of this test, and what it warned of. */
export async function serve(data: string, services: string) {
  const configOf = (list: string) =>
    loadConfig({
      flags: { ...STEADY, data, port: '0', 'internal-port': '0', 'witnesses-services': list },
      env: {},
      cores: 2,
    });
  const warnings: string[] = [];
  const server = await startServer(configOf(services), { warn: (text) => warnings.push(text) });
  return { server, warnings, reload: (list: string) => server.reload(configOf(list)) };
}

const logKeyOf = ({ identity: { serverId, manifest } }: Server) =>
  encodeVerifierKey(checkpointKey(serverId, actorKey(manifest, ROLE.sequencer, 0)));

export const anchorsOf = async (url: string): Promise<string[]> =>
  (await (await fetch(`${url}/v1/anchors`)).json()).anchors;

/** Ends what is still running, also after a failure. */
export const ends: (() => unknown)[] = [];

/** A server that has committed some epochs and stopped: where its data is, and its verifier key. */
export async function founded(name: string): Promise<{ data: string; log: string; manifest: string }> {
  const data = directory(name);
  const { server } = await serve(data, '');
  await until('an epoch', () => server.checkpoint().size > 0);
  const manifest = join(directory(`${name}-manifest`), 'manifest.json');
  writeFileSync(manifest, await (await fetch(`${server.url}/v1/manifest`)).text());
  await server.stop();
  return { data, log: logKeyOf(server), manifest };
}

/** Started, and stopped at the end at the latest. */
export async function running(data: string, services: string) {
  const served = await serve(data, services);
  ends.push(() => served.server.stop());
  return served;
}

export const thrownBy = (promise: Promise<unknown>) =>
  promise.then(
    () => assert.unreachable(),
    (error) => error,
  );
