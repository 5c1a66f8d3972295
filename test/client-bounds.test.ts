/** What a server says over HTTP is bounded, in bytes: manifests, addresses, proofs. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { askFor } from '../src/client/asking.js';
import { fetchOutboxUrl, getJson } from '../src/client/directory.js';
import { connect } from '../src/client/index.js';
import { CountersignError } from '../src/protocol/index.js';
import { keyOf } from './client-helpers.js';
import { until } from './support/cosigning.js';

const test = suite('client bounds');

const MIB = 1 << 20;
/** What sockets and streams hold besides. */
const SLACK = 16 * MIB;
/** Where it would go on for ever: then a test ends, and fails. */
const MOST = 192 * MIB;

async function serving(answer: (response: ServerResponse) => void) {
  const server: Server = createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

/** A text that does not end. */
async function endless() {
  const told = { bytes: 0, gone: 0 };
  const chunk = Buffer.alloc(1 << 16, 'A');
  const { url, stop } = await serving((response) => {
    told.bytes = 0;
    const go = () => {
      while (!response.destroyed) {
        if (told.bytes >= MOST) return response.end();
        told.bytes += chunk.length;
        if (!response.write(chunk)) return response;
      }
      return response;
    };
    response.on('drain', go).on('close', () => void told.gone++);
    response.writeHead(200).write('{"manifests":["');
    go();
  });
  return { url, stop, told };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof CountersignError ? error.code : String(error)),
  );

for (const [what, most, ask] of [
  ['a manifest', 64 * MIB, (url: string) => connect({ url, key: keyOf('bounds'), connectTimeoutMs: 30_000 })],
  ['all manifests', 64 * MIB, (url: string) => getJson(`${url}/v1/manifests/1`, AbortSignal.timeout(30_000))],
  [
    'an address',
    1 << 16,
    (url: string) => fetchOutboxUrl(url, new Uint8Array(32), 0, AbortSignal.timeout(30_000)),
  ],
] as const)
  test(`${what} without an end: it is not read for ever, and may come another time`, async () => {
    const { url, stop, told } = await endless();
    try {
      assert.is(await codeOf(ask(url)), 'connection-lost');
      assert.ok(told.bytes < most + SLACK, `${told.bytes} bytes`);
      await until('the server hears that it is read no longer', () => told.gone === 1);
    } finally {
      stop();
    }
  });

test('another answer of more than 1 MiB is refused, and one of so many bytes is not', async () => {
  for (const [bytes, code] of [
    [MIB, 'none'],
    [MIB + 1, 'verification-failed'],
  ] as const) {
    const { url, stop } = await serving((response) => response.end(Buffer.alloc(bytes)));
    assert.is(await codeOf(askFor(url, AbortSignal.timeout(30_000))), code);
    stop();
  }
  const { url, stop, told } = await endless();
  assert.is(await codeOf(askFor(url, AbortSignal.timeout(30_000))), 'verification-failed');
  assert.ok(told.bytes < SLACK, `${told.bytes} bytes`);
  stop();
});

test('what breaks off, or is no JSON object, is a lost connection', async () => {
  for (const answer of [
    (response: ServerResponse) => response.end('<html>'),
    (response: ServerResponse) => response.end('null'),
    (response: ServerResponse) => response.end(),
    (response: ServerResponse) => response.writeHead(503).end('{}'),
    (response: ServerResponse) => response.write('{', () => response.destroy()),
  ]) {
    const { url, stop } = await serving(answer);
    assert.is(await codeOf(getJson(url, AbortSignal.timeout(30_000))), 'connection-lost');
    stop();
  }
});

test.run();
