/**
 * Every limit, each at a real server where it is tiny: who goes beyond gets its coded answer, nobody else
 * notices, and nothing is lost. A limit without a case here fails, and so does one that the documents do not tell.
 */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as pass } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  decodeOpening,
  decodePlaced,
  ERRORS,
  type ErrorCode,
  type ErrorKind,
  encodeOpen,
  encodeSession,
  FRAME,
  ROLE,
} from '../src/protocol/index.js';
import { describeConfig, loadConfig } from '../src/server/config.js';
import type { Server } from '../src/server/index.js';
import { clientOf, directory, read, serverAt } from './client-helpers.js';
import { bundle, busy, FRONT, refused, submit } from './support/limits.js';
import { idOf } from './support/names.js';
import { Raw } from './support/raw.js';
import { silentProxy } from './support/silent-proxy.js';
import { RUNS, SEED } from './worlds.js';

const test = suite('limits');
const OUTBOX = '/v1/outboxes/0';
const root = new URL('../../', import.meta.url);

interface Case {
  /** Beside the limit itself. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly tiny: number;
  readonly run: (server: Server) => Promise<void>;
}

async function sentAway(raw: Raw, code: ErrorCode): Promise<void> {
  assert.is((await raw.error()).number, ERRORS[code].number);
  const kind: ErrorKind = ERRORS[code];
  assert.is((await raw.closed).code, kind.close);
}

/** Sends frames of one bundle each, all at once. Returns the epoch of each counter. */
async function epochsOf(server: Server, frames: number, body = 1): Promise<number[]> {
  const raw = await Raw.session(server.url, FRONT, 'mallory');
  for (let i = 1; i <= frames; i++) raw.send(submit(i, bundle(['mallory'], body)));
  const epochs: number[] = [];
  while (epochs.filter(Boolean).length < frames) {
    const { epoch, messages } = decodePlaced(await raw.next(FRAME.placed));
    for (const { counter } of messages) epochs[counter - 1] = epoch;
  }
  raw.close();
  return epochs;
}

/** Nobody is refused when an epoch is full: who comes too late waits for the next. */
const EPOCH_CASE = { flags: { 'epoch-min-interval-ms': '30', 'limits-body-bytes': '500' } };
async function oneByOne(server: Server, body = 1): Promise<void> {
  const epochs = await epochsOf(server, 6, body);
  assert.is(new Set(epochs).size, 6, `${epochs}`);
  assert.equal(
    [...epochs].sort((a, b) => a - b),
    epochs,
  );
}

const tooLarge = (large: Uint8Array, small: Uint8Array) => async (server: Server) => {
  await Raw.session(server.url, FRONT, 'other').then((other) => other.close());
  const raw = await Raw.session(server.url, FRONT, 'mallory');
  await refused(raw, submit(1, large), 'bundle-too-large');
  raw.send(submit(1, small));
  await raw.next(FRAME.placed);
  raw.close();
};

/** The server's end of a socket; both ends are in this process. */
function serverEnd(raw: Raw): Socket {
  const { localPort } = (raw.socket as unknown as { _socket: Socket })._socket;
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): unknown[] };
  return handles
    .call(process)
    .find((handle): handle is Socket => handle instanceof Socket && handle.remotePort === localPort)!;
}

/** Mail for readers that do not read: how much the server holds for all of them, at most. Then they read it all. */
async function unread(server: Server, names: readonly string[], count: number): Promise<number> {
  const body = new Uint8Array(100_000);
  const readers = await Promise.all(names.map((name) => Raw.session(server.url, OUTBOX, name)));
  for (const reader of readers) reader.socket.pause();
  const ends = readers.map(serverEnd);
  const flooder = await clientOf(server, 'flooder');
  let most = 0;
  for (let i = 0; i < count; i++) {
    await flooder.send({ to: names.map(idOf), body });
    most = Math.max(
      most,
      ends.reduce((sum, { writableLength }) => sum + writableLength, 0),
    );
  }
  assert.ok(
    ends.every(({ writableLength }) => writableLength > 0),
    'a reader has taken all: raise the count',
  );
  for (const reader of readers) {
    reader.socket.resume();
    for (let i = 0; i < count; i++) await reader.next(FRAME.deliver);
    reader.close();
  }
  await flooder.close();
  return most;
}
/** A frame with one message of `unread`. */
const ONE_FRAME = 110_000;

const CASES: Readonly<Record<string, Case>> = {
  messagesPerEpoch: { ...EPOCH_CASE, tiny: 1, run: (server) => oneByOne(server) },
  bytesPerEpoch: { ...EPOCH_CASE, tiny: 1024, run: (server) => oneByOne(server, 500) },
  entriesPerEpoch: { ...EPOCH_CASE, tiny: 1, run: (server) => oneByOne(server) },
  recipients: { tiny: 1, run: tooLarge(bundle(['mallory', 'other']), bundle(['other'])) },
  bodyBytes: { tiny: 8, run: tooLarge(bundle(['other'], 9), bundle(['other'], 8)) },
  envelopeBytes: { tiny: 8, run: tooLarge(bundle(['other'], 0, 9), bundle(['other'], 0, 8)) },
  bundlesPerFrame: {
    tiny: 2,
    run: async ({ url }) => {
      const raw = await Raw.session(url, FRONT, 'mallory');
      const one = bundle(['mallory']);
      const { firstCounter, count } = await refused(raw, submit(1, one, one, one), 'too-many-bundles');
      assert.equal([firstCounter, count], [1, 3]);
      raw.send(submit(1, one, one));
      assert.is(decodePlaced(await raw.next(FRAME.placed)).messages.length, 2);
      raw.close();
    },
  },
  frameBytes: {
    flags: { 'limits-body-bytes': '500' },
    tiny: 1024,
    run: async ({ url }) => {
      const raw = await Raw.session(url, FRONT, 'mallory');
      raw.send(new Uint8Array(1025));
      assert.is((await raw.closed).code, 1009);
    },
  },
  countersKept: {
    tiny: 2,
    run: async ({ url }) => {
      const raw = await Raw.session(url, FRONT, 'mallory');
      for (let i = 1; i <= 4; i++) {
        raw.send(submit(i, bundle(['mallory'], i)));
        await raw.next(FRAME.placed);
      }
      await refused(raw, submit(1, bundle(['mallory'], 1)), 'counter-expired');
      raw.send(submit(4, bundle(['mallory'], 4)));
      assert.is(decodePlaced(await raw.next(FRAME.placed)).messages[0]!.counter, 4);
      raw.close();
    },
  },
  sockets: {
    // Four are those of the two clients that must notice nothing.
    tiny: 6,
    run: async ({ url }) => {
      const raws = await Promise.all([1, 2].map(() => Raw.session(url, FRONT, 'mallory')));
      await sentAway(await Raw.connect(url, FRONT), 'too-many-sockets');
      for (const raw of raws) raw.close();
    },
  },
  mailboxesPerSocket: {
    tiny: 2,
    run: async ({ url }) => {
      const raw = await Raw.session(url, FRONT, 'mallory');
      assert.is((await raw.open('other')).error, 0);
      raw.send(raw.sessionFrame('third'));
      await sentAway(raw, 'too-many-mailboxes');
    },
  },
  handshakeMs: {
    tiny: 500,
    run: async ({ url }) => sentAway(await Raw.connect(url, FRONT), 'handshake-timeout'),
  },
  bytesInFlight: {
    tiny: 1024,
    run: async (server) => {
      const most = await unread(server, ['slow'], 80);
      assert.ok(most <= 1024 + ONE_FRAME, `${most} bytes`);
    },
  },
  bytesInFlightInAll: {
    tiny: 1024,
    run: async (server) => {
      const most = await unread(server, ['slow', 'slower'], 80);
      assert.ok(most <= 1024 + 2 * ONE_FRAME, `${most} bytes`);
    },
  },
  silenceMs: {
    tiny: 400,
    run: async ({ url }) => {
      const proxy = await silentProxy(url);
      const [gone, quiet] = await Promise.all([proxy.url, url].map((at) => Raw.session(at, OUTBOX, at)));
      proxy.silence();
      const began = performance.now();
      while (proxy.cut === 0) await pass(10);
      const took = performance.now() - began;
      assert.ok(took > 200 && took < 5000, `noticed after ${took} ms`);
      // Who says nothing but answers pings stays.
      await pass(800);
      assert.is(quiet!.socket.readyState, 1);
      for (const raw of [gone, quiet]) raw!.close();
      proxy.close();
    },
  },
  unacknowledgedEpochs: { tiny: 2, run: (server) => full(server, 1) },
  unacknowledgedBytes: { tiny: 1024, run: (server) => full(server, 600) },
  openingsPerMinute: {
    tiny: 1,
    run: async (server) => {
      const raw = await Raw.session(server.url, FRONT, 'mallory');
      const asked = { slot: 0, stage: ROLE.outbox, epoch: 1, inbox: 0, index: 0, mailbox: idOf('mallory') };
      for (const request of [1, 2]) raw.send(encodeOpen({ request, ...asked }));
      const answers = [await raw.next(FRAME.opening), await raw.next(FRAME.opening)].map(decodeOpening);
      const busy = answers.find(({ error }) => error === ERRORS.busy.number)!;
      assert.is(busy.request, 2);
      assert.ok(busy.retryAfterMs > 0);
      assert.is(answers.filter((each) => each !== busy).length, 1);
    },
  },
  busyAfterMs: {
    flags: { 'limits-messages-per-epoch': '1', 'epoch-min-interval-ms': '50' },
    tiny: 0,
    run: async (server) => {
      // At once instead of after two seconds, which these few epochs do not take.
      await busy(server);
    },
  },
  busyRetryMs: {
    flags: {
      'limits-messages-per-epoch': '1',
      'epoch-min-interval-ms': '50',
      'limits-busy-after-ms': '0',
    },
    tiny: 77,
    run: async (server) => {
      assert.is(await busy(server), 77);
    },
  },
};

/** A mailbox whose owner is away takes two messages, and only it is full. */
async function full({ url }: Server, body: number): Promise<void> {
  await Raw.session(url, FRONT, 'other').then((other) => other.close());
  const raw = await Raw.session(url, FRONT, 'mallory');
  for (const counter of [1, 2]) {
    raw.send(submit(counter, bundle(['other'], body)));
    await raw.next(FRAME.placed);
  }
  const { mailbox } = await refused(raw, submit(3, bundle(['mallory', 'other'])), 'mailbox-full');
  assert.equal(Buffer.from(mailbox), Buffer.from(idOf('other')));
  raw.close();
}

/** Limits that other tests hold, because they take long or much. */
const ELSEWHERE: Readonly<Record<string, string>> = { retentionEpochs: 'test/long/limits.test.ts' };

const described = describeConfig(loadConfig({ flags: {}, env: {}, cores: 2 })).filter(({ key }) =>
  key.startsWith('limits.'),
);
const names = described.map(({ key }) => key.slice('limits.'.length));

test('there is a case for every limit', () => {
  assert.equal([...Object.keys(CASES), ...Object.keys(ELSEWHERE)].sort(), [...names].sort());
  for (const [name, file] of Object.entries(ELSEWHERE))
    assert.match(readFileSync(new URL(file, root), 'utf8'), name);
});

// A third of them in `npm test`, of which SEED says which; with RUNS=4 all.
const SOME = Object.entries(CASES).filter((_, i) => RUNS >= 4 || i % 3 === SEED % 3);

for (const [name, { flags, tiny, run }] of SOME) {
  test(`limits.${name}`, async () => {
    const flag = `limits-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const server = await serverAt(directory('limits'), { ...flags, [flag]: `${tiny}` });
    const [ann, ben] = await Promise.all([clientOf(server, 'ann'), clientOf(server, 'ben')]);
    await ann.send({ to: ben.id, body: '1' });
    await run(server);
    await ann.send({ to: ben.id, body: '2' });
    assert.equal(await read(ben, 2), ['1', '2']);
    assert.equal([ann.state, ben.state], ['connected', 'connected']);
    await Promise.all([ann.close(), ben.close()]);
    await server.stop();
  });
}

test('sessions in a frame, and sockets of a key: limits that no setting changes', async () => {
  const server = await serverAt(directory('limits'));
  const raw = await Raw.connect(server.url, FRONT);
  await raw.greet();
  const request = { key: idOf('mallory'), acknowledged: 0, signature: new Uint8Array(64) };
  raw.send(encodeSession(Array.from({ length: 257 }, () => request)));
  await sentAway(raw, 'malformed-frame');
  for (const path of [FRONT, OUTBOX]) {
    const older = await Raw.session(server.url, path, 'mallory');
    const newer = await Raw.session(server.url, path, 'mallory');
    await sentAway(older, 'displaced');
    newer.close();
  }
  await server.stop();
});

test('the specification tells every limit with its default', () => {
  const text = readFileSync(new URL('docs/PROTOCOL.md', root), 'utf8');
  const section = text.split(/^## Limits$/m)[1]!.split(/^## /m)[0]!;
  const rows = new Map(
    [...section.matchAll(/^\| `limits\.(\w+)` \| ([\d,]+)/gm)].map(([, name, value]) => [name!, value!]),
  );
  assert.equal([...rows.keys()].sort(), [...names].sort());
  for (const row of described)
    assert.is(rows.get(row.key.slice('limits.'.length)), row.default.toLocaleString('en'), row.key);
});

test.run();
