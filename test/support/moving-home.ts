/** A server that stops, whose ids are moved to other actors or whose store is changed meanwhile, and that goes on; and people at it. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeState } from '../../src/actors/mailbox-state.js';
import { flushMarkKey, idKey, numberValue, TABLE } from '../../src/actors/store-keys.js';
import { connectSender } from '../../src/client/index.js';
import { evenBuckets, inForceFrom, openManifests, placementOf } from '../../src/protocol/index.js';
import type { Server } from '../../src/server/index.js';
import { recoverLog } from '../../src/server/recovery.js';
import { changeActors } from '../../src/server/resizing.js';
import { Store } from '../../src/server/store.js';
import { clientOf, directory, keyOf, serverAt } from '../client-helpers.js';

export interface Home {
  data: string;
  flags: Record<string, string>;
  token: string;
  server: Server;
}

export async function home(more: Record<string, string> = {}): Promise<Home> {
  const data = directory('move-cheats');
  const token = randomBytes(32).toString('hex');
  const file = join(data, 'operator.token');
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  const flags = { 'operator-token': file, ...more };
  return { data, flags, token, server: await serverAt(data, flags) };
}

/** The server's actors do something else meanwhile. */
export async function meanwhile(at: Home, change: () => unknown): Promise<void> {
  await at.server.stop();
  await change();
  at.server = await serverAt(at.data, at.flags);
}

export const move = (at: Home) => changeActors(at.data, { inboxes: 2, outboxes: 2 });

export async function inStore(
  data: string,
  change: (store: Store, write: (key: Uint8Array, value: Uint8Array | null) => void) => void,
) {
  const store = Store.open(data, () => {});
  store.transaction((write) => change(store, (key, value) => write({ key, value })));
  await store.close();
}

/** Names whose ids go from outbox (and inbox) 0 to 1, or stay. */
export async function people(at: Home, count = 16) {
  const clients = await Promise.all(
    Array.from({ length: count }, (_, i) => clientOf(at.server, `person ${i}`)),
  );
  const ids = clients.map(({ id }) => id);
  for (const client of clients) await client.close();
  return ids;
}

/** Those whose mailbox, or whose inbox, becomes number 1. */
export function moved({ server }: Home, ids: readonly Uint8Array[], kind: 'inbox' | 'outbox'): number[] {
  const { manifest, serverId } = server.identity;
  const next = { ...manifest, buckets: evenBuckets(2, 2) };
  return [...ids.keys()].filter((i) => placementOf(next, serverId, ids[i]!)[kind] === 1);
}

export const epochOfMove = ({ server }: Home) =>
  inForceFrom(openManifests(server.identity.manifests).at(-1)!.manifest);

/** Sends, and says where it stands. */
export async function sent(at: Home, from: number, to: readonly Uint8Array[], body = 'text') {
  const client = await clientOf(at.server, `person ${from}`);
  const { place } = await client.send({ to, body });
  await client.close();
  return place;
}

/** The outbox forgets all that came since it wrote its states down last. */
export const forget = (at: Home) =>
  inStore(at.data, (store, write) => {
    write(flushMarkKey('outbox', 0), numberValue(recoverLog(store).lastEpoch));
  });

/** A mailbox that has brought nothing, says whoever has it. */
export const empty = (data: string, id: Uint8Array) =>
  inStore(data, (_, write) => {
    const chain = {
      lastEpoch: 0,
      total: 0,
      head: Uint8Array.from(randomBytes(32)),
      links: 0,
      own: 0,
      bytes: 0,
    };
    write(idKey(TABLE.mailbox, id), encodeState({ chain, acknowledged: chain }));
  });

/** By a client that does not look at its own chain. */
export async function sentBlindly(at: Home, from: number, to: Uint8Array, body: string) {
  const client = await connectSender({ url: at.server.url, key: keyOf(`person ${from}`) });
  const { place } = await client.send({ to, body });
  await client.close();
  return place;
}
