/** Peers of the bench: what their connections read, however it is cut, and how their processes fail. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NatsConnection } from '../bench/nats-connection.js';
import { noEqual, startPeer } from '../bench/peer-process.js';
import { RespConnection } from '../bench/resp.js';
import { REDIS } from '../bench/systems/redis.js';
import { loadWorkload } from '../bench/workload.js';

const test = suite('connections and processes of peers');

/** A server that says `text`, so many bytes at a time, to whoever connects, and then closes the connection. */
async function saying(text: string, size: number, talk: (port: number) => Promise<void>): Promise<void> {
  const server = createServer(async (socket) => {
    socket.setNoDelay(true).on('error', () => {});
    for (let at = 0; at < text.length; at += size) {
      socket.write(text.slice(at, at + size), 'latin1');
      await turn();
    }
    socket.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    await talk((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

const RESP = '*2\r\n$2\r\nm1\r\n:1234\r\n*-1\r\n$-1\r\n+PONG\r\n$0\r\n\r\n$5\r\na\r\nbc\r\n-ERR no\r\n';
const RESP_SAYS = [
  '[2',
  'm1',
  '1234',
  'PONG',
  '',
  'a\r\nbc',
  '!redis: ERR no',
  '!redis: the connection was closed',
];

async function readResp(port: number): Promise<string[]> {
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    RespConnection.open(port, {
      array: (length) => said.push(`[${length}`),
      integer: (value) => said.push(`${value}`),
      bytes: (value) => said.push(value.toString()),
      failed: ({ message }) => said.push(`!${message}`) && message.endsWith('closed') && resolve(),
    }).catch(reject);
  });
  return said;
}

const NATS_SAYS = ['MSG a.b 1 3||a\r\n', 'HMSG a.b 1 re 12 15|NATS/1.0\r\n\r\n|xyz', "!nats: -ERR 'no'"];
const NATS_TEXT = `INFO {"version":"2"}\r\nPONG\r\nMSG a.b 1 3\r\na\r\n\r\nPING\r\nHMSG a.b 1 re 12 15\r\nNATS/1.0\r\n\r\nxyz\r\n-ERR 'no'\r\n`;

async function readNats(port: number): Promise<string[]> {
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    NatsConnection.open('tcp', port, {
      message: (line, headers, body) => said.push(`${line}|${headers}|${body}`),
      failed: (error) => resolve(void said.push(`!${error.message}`)),
    }).catch(reject);
  });
  return said;
}

for (const size of [1, 2, 7, 1000]) {
  test(`what a server says in pieces of ${size} bytes is read as it was said`, async () => {
    await saying(RESP, size, async (port) => assert.equal(await readResp(port), RESP_SAYS));
    await saying(NATS_TEXT, size, async (port) => assert.equal(await readNats(port), NATS_SAYS));
  });
}

test('a server that does not start is an error with what it said, and leaves no process', async () => {
  const never = () => Promise.reject(new Error('nobody there'));
  const script = "console.error('bad setting'); process.exit(1)";
  const message = await startPeer(process.execPath, ['-e', script], never).then(
    () => 'started',
    (error: Error) => error.message,
  );
  assert.match(message, /does not start: nobody there\nbad setting/);
});

test('what a peer has no equal of is said, and what memory makes of its promise', () => {
  assert.match(noEqual(loadWorkload('throughput', ['envelopeBytes=10'])) ?? '', /envelopeBytes=0/);
  assert.match(noEqual(loadWorkload('throughput', ['encoding=json'])) ?? '', /encoding=binary/);
  assert.is(noEqual(loadWorkload('throughput')), null);
  const inMemory = loadWorkload('throughput', ['server.durability=none']);
  assert.is(REDIS[0]!.promises(inMemory).durable, 'in memory');
});

test.run();
