/** Ten thousand reconnects to a server that is none leave nothing behind: no listener, no timer, no memory. */
import { getEventListeners } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client } from '../../src/client/client.js';
import type { Dial } from '../../src/client/socket.js';
import { encodeChallenge, encodeEndOfBacklog, encodeOpened, FRAME } from '../../src/protocol/index.js';
import { keyOf } from '../client-helpers.js';
import { SmallServer } from '../small-server.js';
import { usage } from '../support/cuts.js';

const test = suite('client reconnects');

/** A server that answers the handshake and goes away again, so many times. */
class Fleeting {
  dials = 0;
  open = 0;
  private readonly small = new SmallServer();
  /** Sockets that are held until the client has been connected once. */
  private held: (() => void)[] | null = [];
  onDial: (count: number) => void = () => {};

  constructor(private readonly most: number) {}

  readonly fetch = async (url: string | URL | Request) => {
    const { manifest, signature } = this.small;
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    return String(url).endsWith('/v1/manifest')
      ? Response.json({ manifest: base64(manifest), signature: base64(signature) })
      : Response.json({ outbox: 0, url: 'ws://fleeting/v1/outboxes/0' });
  };

  readonly dial: Dial = (url, events) => {
    this.onDial(++this.dials);
    this.open++;
    const leaves = this.dials < this.most;
    const isOutbox = !url.endsWith('/front');
    const answer = (frame: Uint8Array) => setImmediate(() => events.frame(frame));
    setImmediate(() => events.opened());
    return {
      send: ([frame]) => {
        if (frame![0] === FRAME.hello) return void answer(this.challenge());
        if (frame![0] !== FRAME.session) return;
        const head = new Uint8Array(32).fill(3);
        answer(encodeOpened([{ error: 0, lastCounter: 0, lastEpoch: 0, total: 0, head }]).slice());
        if (isOutbox) answer(encodeEndOfBacklog({ slot: 0, epoch: 0 }).slice());
        const leave = () => void setImmediate(() => events.closed(1006, ''));
        if (this.held) this.held.push(leave);
        else if (leaves) leave();
      },
      pause() {},
      resume() {},
      close: () => void this.open--,
    };
  };

  /** From now on every socket is lost as soon as it is open. */
  leave(): void {
    for (const each of this.held!) each();
    this.held = null;
  }

  private challenge(): Uint8Array {
    const { serverId, manifestHash } = this.small.world;
    return encodeChallenge({ serverId, challenge: new Uint8Array(32), manifestHash }).slice();
  }
}

test('10,000 reconnects: listeners, timers and memory stay as they are', async () => {
  const [fetched, timeout] = [globalThis.fetch, globalThis.setTimeout];
  const server = new Fleeting(10_000);
  globalThis.fetch = server.fetch as typeof fetch;
  // A delay of nothing takes nothing, so that this is over soon.
  globalThis.setTimeout = ((run: () => void, ms: number) =>
    ms === 0 ? setImmediate(run) : timeout(run, ms)) as unknown as typeof setTimeout;
  const ending = new AbortController();
  let changes = 0;
  const measured: ReturnType<typeof usage>[] = [];
  const done = new Promise<void>((resolve) => {
    server.onDial = (count) => {
      if (count === 2000) measured.push(usage(ending.signal));
      if (count < 10_000) return;
      measured.push(usage(ending.signal));
      resolve();
    };
  });
  const key = keyOf('fleeting');
  const options = { url: 'http://fleeting', key, signal: ending.signal, backoffFirstMs: 1, backoffMostMs: 1 };
  const onReady = (on: Client['on']) => void on('state', () => changes++);
  const client = await Client.connect({ ...options, onReady }, server.dial);
  server.leave();
  const stand = client.still().catch((error) => error.code);
  const receipt = client.send({ to: client.id, body: 'x' }).catch((error) => error.code);
  await done;
  [globalThis.fetch, globalThis.setTimeout] = [fetched, timeout];
  const [early, late] = measured as [ReturnType<typeof usage>, ReturnType<typeof usage>];
  assert.ok(changes > 9000, `${changes}`);
  assert.is(late.listeners, 1);
  assert.is(early.listeners, 1);
  assert.ok(Math.abs(late.timers - early.timers) <= 2, `${early.timers} timers, then ${late.timers}`);
  const growth = (late.heap - early.heap) / 8000;
  assert.ok(growth < 200, `${Math.round(growth)} bytes are left of each reconnect`);
  await client.close();
  assert.equal([await stand, await receipt], ['closed', 'closed']);
  assert.is(getEventListeners(ending.signal, 'abort').length, 0);
});

test.run();
