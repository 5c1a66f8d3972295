/** The first contact: which server answers, and what it means when none does. */
import { CountersignError, equalBytes, toHex } from '../protocol/index.js';
import { claiming } from './claiming.js';
import { acceptManifest, getJson } from './directory.js';
import { type GatewayOptions, idOf, type Settings } from './options.js';
import type { Saved, Store } from './store.js';
import { World } from './world.js';

export function timeout(settings: Settings): CountersignError {
  return new CountersignError('connection-lost', `no connection within ${settings.connectTimeoutMs} ms`);
}

/**
 * Fetches the manifest; its bytes prove themselves. Where there is or was more than one, they are held against what a
 * client has saved, and the server that it expects, and kept in its store.
 */
export async function fetchWorld(
  http: string,
  signal: AbortSignal,
  ...client: [saved: Saved, store: Store, expected: Uint8Array | null] | []
): Promise<World> {
  const newest = await acceptManifest(await getJson(`${http}/v1/manifest`, signal));
  return newest.manifest.version === 1 && !client[0]?.kept.has('manifests')
    ? new World([newest])
    : (await claiming.get(signal)).openWorld(http, signal, ...(client as []));
}

/** The server that answers, held against the one expected and the one pinned. */
export async function findServer(
  options: GatewayOptions,
  saved: Saved,
  store: Store,
  http: string,
  signal: AbortSignal,
): Promise<World> {
  const expected = options.server === undefined ? null : idOf(options.server, 'server');
  const world = await fetchWorld(http, signal, saved, store, expected);
  for (const id of [expected, saved.serverId])
    if (id && !equalBytes(id, world.serverId))
      throw new CountersignError('wrong-server', `server ${toHex(world.serverId)} answers, not ${toHex(id)}`);
  if (!saved.serverId) await store.save([{ type: 'server', serverId: world.serverId }]);
  return world;
}
