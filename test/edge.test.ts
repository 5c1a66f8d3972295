/** The server's edge, over real sockets: which pages may use it, TLS, settings that change while it runs. */
import { once } from 'node:events';
import { request } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { SUBPROTOCOL } from '../src/protocol/index.js';
import { directory, serverAt } from './client-helpers.js';

const test = suite('edge');
const PAGE = 'https://chat.example';
const OTHER = 'https://evil.example';

async function get(url: string, origin?: string) {
  const headers = origin === undefined ? {} : { origin };
  const asked = request(url, { headers }).end();
  const [response] = await once(asked, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  const allowed = response.headers['access-control-allow-origin'];
  return { status: response.statusCode as number, allowed, vary: response.headers.vary, body };
}

/** 101, or with what the upgrade was refused. */
async function upgrade(url: string, path: string, origin?: string): Promise<string> {
  const options = origin === undefined ? {} : { origin };
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, SUBPROTOCOL, options);
  socket.on('error', () => {});
  const refused = once(socket, 'unexpected-response').then(async ([, response]) => {
    let body = '';
    for await (const chunk of response) body += chunk;
    return `${response.statusCode} ${JSON.parse(body).error.code}`;
  });
  const status = await Promise.race([once(socket, 'open').then(() => '101'), refused]);
  socket.terminate();
  return status;
}

test('without a list every page may ask and connect', async () => {
  const server = await serverAt(directory('origins'));
  for (const origin of [undefined, OTHER, 'null']) {
    const { status, allowed, vary } = await get(`${server.url}/v1/manifest`, origin);
    assert.equal([status, allowed, vary], [200, origin && '*', undefined]);
    assert.is(await upgrade(server.url, '/v1/front', origin), '101');
  }
  assert.is(await upgrade(server.url, '/v1/back'), '404 not-found');
  assert.is((await get(`${server.internalUrl}/healthz`, OTHER)).allowed, undefined);
  await server.stop();
});

test('with a list, the pages of other origins are refused, and programs are not', async () => {
  const server = await serverAt(directory('origins'), { origins: `http://localhost:8080 ${PAGE}` });
  for (const path of ['/v1/manifest', '/v1/checkpoint', `/v1/mailboxes/${'ab'.repeat(32)}`, '/v1/gone']) {
    const status = path === '/v1/gone' ? 404 : 200;
    const page = await get(server.url + path, PAGE);
    assert.equal([page.status, page.allowed, page.vary], [status, PAGE, 'origin']);
    const program = await get(server.url + path);
    assert.equal([program.status, program.allowed, program.vary], [status, undefined, 'origin']);
    for (const origin of [OTHER, 'null', `${PAGE}.evil.example`, 'https://chat.exampl', '']) {
      const { status, allowed, body, vary } = await get(server.url + path, origin);
      assert.equal([status, allowed, vary], [403, undefined, 'origin'], origin);
      assert.is(JSON.parse(body).error.code, 'origin-refused');
    }
  }
  for (const path of ['/v1/front', '/v1/outboxes/0']) {
    assert.is(await upgrade(server.url, path), '101');
    assert.is(await upgrade(server.url, path, PAGE), '101');
    assert.is(await upgrade(server.url, path, OTHER), '403 origin-refused');
  }
  await server.stop();
});

test.run();
