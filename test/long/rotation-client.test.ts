/** A server that goes back on the keys of its actors. */
import { cpSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect as connectTo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectSender, MemoryStore } from '../../src/client/index.js';
import { rotateKeys } from '../../src/server/rotation.js';
import { directory, keyOf, serverAt } from '../client-helpers.js';
import { back, failure, house } from '../support/rotation-client.js';

const test = suite('clients over rotations that are taken back');

test('a server that goes back to an older manifest is refused, by who comes back and by who stayed', async () => {
  const home = await house();
  const store = new MemoryStore();
  await home.again(async () => {});
  const before = directory('rotation');
  await home.again(async () => {
    cpSync(join(home.data, 'store'), join(before, 'store'), { recursive: true });
    cpSync(join(home.data, 'keys'), join(before, 'keys'), { recursive: true });
    await rotateKeys(home.data, null);
  });
  await (await back(home.server, 'bob', store)).close();
  // Who only sends knows no checkpoint, which the server would find to be none of its own.
  const { url } = home.server;
  const alice = await connectSender({ url, key: keyOf('alice'), backoffFirstMs: 20 });
  const ended = new Promise<unknown>((resolve) => {
    alice.on('state', ({ state, reason }) => {
      if (state !== 'connecting' && state !== 'connected') resolve(reason);
    });
  });
  const paths = ['/v1/manifest', '/v1/manifests/1', '/v1/manifests/2'];
  const answers = new Map(
    await Promise.all(paths.map(async (path) => [path, await (await fetch(url + path)).text()] as const)),
  );
  const newest = home.data;
  await home.again(async () => {}, before);
  assert.match(
    (await failure(ended.then((reason) => Promise.reject(reason)))).message,
    /gone back behind version 2/,
  );
  assert.match((await failure(back(home.server, 'bob', store))).message, /gone back behind version 2/);
  // One that tells of the newest version, and names the one before on its next sockets.
  const now = await serverAt(newest);
  let older = Number.POSITIVE_INFINITY;
  const between = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(answers.get(request.url!));
  });
  between.on('upgrade', ({ url: path, rawHeaders }, socket) => {
    const to = connectTo(Number(new URL(older-- > 0 ? url : now.url).port), '127.0.0.1');
    const fields = rawHeaders.map((text, i) => `${text}${i % 2 === 0 ? ': ' : '\r\n'}`).join('');
    to.write(`GET ${path} HTTP/1.1\r\n${fields}\r\n`);
    socket.pipe(to).pipe(socket);
    for (const each of [socket, to]) each.on('error', () => {});
  });
  await new Promise<void>((done) => between.listen(0, '127.0.0.1', done));
  const { port } = between.address() as AddressInfo;
  const options = { url: `http://127.0.0.1:${port}`, key: keyOf('carol'), backoffFirstMs: 20 };
  assert.match((await failure(connectSender(options))).message, /none of its newer ones/);
  // What was said before the newest version was known may come late: on each of its sockets once.
  older = 1;
  await (await connectSender(options)).close();
  older = 2;
  assert.match((await failure(connectSender(options))).message, /none of its newer ones/);
  between.closeAllConnections();
  between.close();
  await now.stop();
  await home.server.stop();
});

test.run();
