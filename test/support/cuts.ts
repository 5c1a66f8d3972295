/** A client whose real sockets are cut again and again, and what that leaves behind. */
import { getEventListeners } from 'node:events';
import * as assert from 'uvu/assert';
import { collectGarbage } from '../../src/actors/collect-garbage.js';
import { Client } from '../../src/client/client.js';
import type { Dial, Socket } from '../../src/client/socket.js';
import { dial } from '../../src/client/websocket.js';
import { directory, keyOf, serverAt } from '../client-helpers.js';

export function usage(signal: AbortSignal) {
  collectGarbage();
  return {
    listeners: getEventListeners(signal, 'abort').length,
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    heap: process.memoryUsage().heapUsed,
  };
}

/** So many cuts, of the front's socket and of the outbox's in turns. */
export async function cuts(times: number): Promise<void> {
  const server = await serverAt(directory('cuts'));
  const warnings: string[] = [];
  const warned = (warning: Error) => void warnings.push(warning.message);
  process.on('warning', warned);
  const ending = new AbortController();
  const sockets = new Map<boolean, Socket>();
  const cutting: Dial = (url, events) => {
    const socket = dial(url, events);
    sockets.set(url.endsWith('/front'), socket);
    return socket;
  };
  const options = { url: server.url, key: keyOf('cuts'), signal: ending.signal };
  const client = await Client.connect({ ...options, backoffFirstMs: 1, backoffMostMs: 2 }, cutting);
  let early: ReturnType<typeof usage> | undefined;
  for (let i = 0; i < times; i++) {
    if (i === Math.floor(times / 5)) early = usage(ending.signal);
    const again = new Promise<void>((resolve) => {
      const off = client.on('state', ({ state }) => {
        if (state !== 'connected') return;
        off();
        resolve();
      });
    });
    sockets.get(i % 2 === 0)!.close(1000, 'cut');
    await again;
  }
  const late = usage(ending.signal);
  assert.is(late.listeners, 1);
  assert.ok(Math.abs(late.timers - early!.timers) <= 2, `${early!.timers} timers, then ${late.timers}`);
  // Of server and client, which are in one process.
  const growth = (late.heap - early!.heap) / times;
  assert.ok(times < 1000 || growth < 500, `${Math.round(growth)} bytes are left of each reconnect`);
  assert.is((await client.send({ to: client.id, body: 'x' })).counter, 1);
  await client.close();
  process.off('warning', warned);
  assert.equal(warnings, []);
  await server.stop();
}
