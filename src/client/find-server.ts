/** The first contact: which server answers, and what it means when none does. */
import { CountersignError, equalBytes, toHex } from '../protocol/index.js';
import { fetchWorld } from './directory.js';
import { type GatewayOptions, idOf, type Settings } from './options.js';
import type { Saved, Store } from './store.js';
import type { World } from './world.js';

export function timeout(settings: Settings): CountersignError {
  return new CountersignError('connection-lost', `no connection within ${settings.connectTimeoutMs} ms`);
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
  const world = await fetchWorld(http, signal);
  for (const id of [expected, saved.serverId])
    if (id && !equalBytes(id, world.serverId))
      throw new CountersignError(
        'wrong-server',
        `server ${toHex(world.serverId)} answers, ${toHex(id)} is expected`,
      );
  if (!saved.serverId) await store.save([{ type: 'server', serverId: world.serverId }]);
  return world;
}
