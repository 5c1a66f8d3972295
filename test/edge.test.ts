/** The server's edge, over real sockets: which pages may use it, TLS, settings that change while it runs. */
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { SUBPROTOCOL } from '../src/protocol/index.js';
import type { OperatorError } from '../src/server/index.js';
import { directory, serverAt } from './client-helpers.js';
import { CA, get, pem, TLS } from './support/edge.js';
import { start } from './support/program.js';

const test = suite('edge');
const PAGE = 'https://chat.example';
const OTHER = 'https://evil.example';
const UPGRADE = `${[
  'GET /v1/back HTTP/1.1',
  'Host: x',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
].join('\r\n')}\r\n\r\n`;

/** 101, or with what the upgrade was refused. */
async function upgrade(url: string, path: string, origin?: string): Promise<string> {
  const options = { ca: CA, rejectUnauthorized: false, ...(origin === undefined ? {} : { origin }) };
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

async function refusalOf(flags: Record<string, string>): Promise<string> {
  const started = Promise.resolve().then(() => serverAt(directory('tls'), flags));
  const refused = await started.catch((error: OperatorError) => error);
  if ('stop' in refused) await refused.stop();
  return 'code' in refused ? `${refused.code} ${refused.message}` : 'started';
}

for (const [what, flags, text] of [
  ['is refused an upgrade', {}, UPGRADE],
  ['begins no TLS handshake', TLS, ''],
] as const) {
  test(`who ${what} and never closes holds up nothing`, async () => {
    const server = await serverAt(directory('half-open'), flags);
    const { hostname: host, port } = new URL(server.url);
    const socket = connect({ host, port: Number(port), allowHalfOpen: true }).resume();
    socket.on('error', () => {});
    const gone = once(socket, 'close');
    await once(socket, 'connect');
    socket.write(text);
    if (text) await once(socket, 'end');
    const began = performance.now();
    await server.stop();
    assert.ok(performance.now() - began < 5000, `${performance.now() - began} ms`);
    socket.end();
    await gone;
  });
}

test('TLS files that cannot be used are refused, each with its code', async () => {
  const crt = 'tls-certificate';
  assert.match(await refusalOf({ [crt]: pem('localhost.crt') }), /both or neither/);
  assert.match(await refusalOf({ ...TLS, [crt]: '/nowhere/at.all' }), /^tls-unreadable tls\.certificate/);
  assert.match(await refusalOf({ ...TLS, 'tls-key': '/nowhere/at.all' }), /^tls-unreadable tls\.key/);
  assert.match(await refusalOf({ ...TLS, [crt]: pem('README.md') }), /^tls-malformed tls\.certificate/);
  const chain = join(directory('chain'), 'chain.crt');
  const garbage = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  writeFileSync(chain, readFileSync(pem('localhost.crt'), 'utf8') + garbage);
  assert.match(await refusalOf({ ...TLS, [crt]: chain }), /^tls-malformed tls\.certificate/);
  assert.match(await refusalOf({ ...TLS, 'tls-key': pem('localhost.crt') }), /^tls-malformed tls\.key/);
  assert.match(await refusalOf({ ...TLS, 'tls-key': pem('renewed.key') }), /^tls-key-differs /);
});

/** A server process with a configuration file that the test writes and then tells it to read again. */
async function reloadable(settings: object) {
  const cwd = directory('reload');
  for (const end of ['crt', 'key']) copyFileSync(pem(`localhost.${end}`), join(cwd, `tls.${end}`));
  const tls = { certificate: join(cwd, 'tls.crt'), key: join(cwd, 'tls.key') };
  const write = (content: object) =>
    writeFileSync(join(cwd, 'config.json'), JSON.stringify({ tls, ...content }));
  write(settings);
  const flags = ['--config', 'config.json', '--port', '0', '--internal-port', '0'];
  const server = start(['serve', ...flags], { cwd });
  await server.said(/^Try it/m);
  const reload = (content: object) => {
    write(content);
    server.child.kill('SIGHUP');
  };
  return { cwd, server, reload, url: /listens on (\S+)/.exec(server.output())![1]! };
}

async function fingerprint(url: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const socket: TLSSocket = tlsConnect({ host, port: Number(port), ca: CA });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test('SIGHUP: what can change changes, what cannot is named, what is wrong changes nothing', async () => {
  const { cwd, server, reload, url } = await reloadable({ limits: { sockets: 100 } });
  const before = await fingerprint(url);
  const old = new WebSocket(`${url.replace('http', 'ws')}/v1/front`, SUBPROTOCOL, { ca: CA });
  await once(old, 'open');

  for (const end of ['crt', 'key']) copyFileSync(pem(`renewed.${end}`), join(cwd, `tls.${end}`));
  const good = { origins: PAGE, publicUrl: 'wss://mail.example', limits: { sockets: 101 } };
  reload({ ...good, inboxes: 7, epoch: { heartbeatMs: 999 } });
  await server.said(
    /^Reloaded: publicUrl, origins, limits\.sockets, the certificate itself; only a restart changes inboxes, epoch\.heartbeatMs$/m,
  );
  assert.is.not(await fingerprint(url), before);
  assert.match((await get(`${url}/v1/mailboxes/${'ab'.repeat(32)}`)).body, /"wss:\/\/mail\.example\/v1/);
  assert.is(await upgrade(url, '/v1/front', OTHER), '403 origin-refused');

  reload({ ...good, origins: '', limits: { sockets: 0 } });
  await server.complained(/^config-invalid: .*limits\.sockets: expected/m);
  copyFileSync(pem('localhost.key'), join(cwd, 'tls.key'));
  reload({ ...good, origins: '' });
  await server.complained(/^tls-key-differs: /m);
  copyFileSync(pem('renewed.key'), join(cwd, 'tls.key'));
  reload({ ...good, origins: '', tls: {} });
  await server.said(/^Reloaded: origins; only a restart changes tls\.certificate, tls\.key$/m);
  assert.is(await upgrade(url, '/v1/front', OTHER), '101');
  copyFileSync(pem('expired.crt'), join(cwd, 'tls.crt'));
  copyFileSync(pem('localhost.key'), join(cwd, 'tls.key'));
  reload(good);
  await server.said(/^Reloaded: origins, .*; warning: the certificate .* has expired/m);
  assert.is(await upgrade(url, '/v1/front', OTHER), '403 origin-refused');

  const answered = once(old, 'pong');
  old.ping();
  await answered;
  server.child.kill('SIGTERM');
  assert.is((await server.ended).status, 0);
});

test.run();
