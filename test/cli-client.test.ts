/** The commands that talk to a server, as processes of their own. More of what they do: test/long/cli-client.test.ts. */
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server as TcpServer } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../src/cli/demo/server-process.js';
import { cwd, here, member, run, server, summary } from './support/cli-client.js';
import { commandHere, type Ended, jsonLines } from './support/program.js';

const test = suite('command line clients');

test.after(() => server.stop());

test('send waits for the proof, and tail shows the message at the same place', async () => {
  const [, bob] = [await member('alice'), await member('bob')];
  const sent = await run(['send', ...here(), '--key', 'alice.key', '--to', bob, 'hello']);
  assert.equal([sent.status, sent.stderr], [0, '']);
  const [, place] = /^place (\d+\.\d\.\d+) {3}counter 1 {3}checkpoint \d+$/m.exec(sent.stdout)!;
  const { status, stdout } = await run(['tail', ...here(), '--key', 'bob.key', '--count', '1']);
  assert.is(status, 0);
  assert.match(stdout, new RegExp(`^mailbox ${bob} at server ${server.serverId}$`, 'm'));
  assert.match(stdout, new RegExp(`^${place} {2}[0-9a-f]{64} {2}hello$`, 'm'));
});

test('mistakes are told before anything is sent', async () => {
  const to = '00'.repeat(32);
  const key = ['--key', join(cwd, 'alice.key')];
  const mistakes: [string[], string][] = [
    [['send', '--to', to, 'x'], '--key: expected the file of your key'],
    [['send', ...key, 'x'], '--to: expected the id of a recipient'],
    [['send', ...key, '--to', to], 'BODY: expected one text (in quotes), or - to send the lines of stdin'],
    [['send', ...key, '--to', 'ab', 'x'], '--to: expected 64 lowercase hex digits, got ab'],
    [['send', ...key, '--to', to, '--to', to, 'x'], `--to: ${to} is given twice`],
    [['tail', ...key, '--count', '0'], '--count: expected an integer from 1, got 0'],
    [['tail', ...key, '--server', 'x'], '--server: expected 64 lowercase hex digits, got x'],
    [['tail', ...key, '--url', 'ftp://x'], '--url: expected an http, https, ws or wss URL, got ftp://x'],
  ];
  const ended: Pick<Ended, 'status' | 'stderr'>[] = [];
  for (const [args] of mistakes) ended.push(await commandHere(args));
  assert.equal(
    ended.map(({ status, stderr }) => [status, stderr.split('\n')[0]]),
    mistakes.map(([, message]) => [2, `usage: ${message}`]),
  );
});

test('no server, another server and no Countersign server are told apart', async () => {
  const key = ['--key', join(cwd, 'alice.key')];
  const nowhere = ['--url', `http://127.0.0.1:${await freePort()}`];
  const nobody = await commandHere(['tail', ...key, ...nowhere]);
  assert.match(nobody.stderr, /^connection-lost: .*ECONNREFUSED.*\nIs a server running at that address\?/);
  assert.match((await commandHere(['manifest', ...nowhere])).stderr, /^connection-lost: /);
  const other = await commandHere(['tail', ...key, ...here(), '--server', '00'.repeat(32)]);
  assert.match(other.stderr, new RegExp(`^wrong-server: server ${server.serverId} answers`));
  for (const [answer, code] of [
    ['<html>', 'connection-lost: .*: SyntaxError: .* not valid JSON'],
    ['1', 'connection-lost: .*: no JSON object'],
    ['null', 'connection-lost: '],
    ['{}', 'verification-failed: manifest: base64 text expected'],
    ['{"manifest": "AAAA", "signature": "%"}', 'verification-failed: manifest: base64'],
    ['{"manifest": "AAAA", "signature": "AAAA"}', 'verification-failed: manifest: '],
  ] as const) {
    const web = createHttpServer((_, response) => response.end(answer));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    const { status, stderr } = await commandHere(['manifest', '--url', url]);
    assert.is(status, 1);
    assert.match(stderr, new RegExp(`^${code}`));
    web.close();
  }
});

/** Passes everything on, but the server's `from` as `to`. */
async function tamperer(from: string, to: string): Promise<TcpServer> {
  const { port } = new URL(server.url);
  const between = createServer((near) => {
    const far = connect(Number(port), '127.0.0.1');
    near.pipe(far);
    far.on('data', (data) => near.write(Buffer.from(data.toString('latin1').replaceAll(from, to), 'latin1')));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  return between;
}

test('a message that was tampered with is not shown: tail says what failed and exits 1', async () => {
  const heidi = await member('heidi');
  const between = await tamperer('pay 100', 'pay 900');
  const url = `http://127.0.0.1:${(between.address() as AddressInfo).port}`;
  summary(await run(['send', '--json', ...here(), '--key', 'heidi.key', '--to', heidi, 'pay 100']));
  const { status, stdout, stderr } = await run(['tail', '--json', '--url', url, '--key', 'heidi.key']);
  assert.is(status, 1);
  assert.match(stderr, /^verification-failed: \w[\w-]*: .+\nThe server does not prove what it says\./);
  assert.is(jsonLines(stdout).at(-1).error.code, 'verification-failed');
  assert.not.match(stdout, /pay 900/);
  between.close();
  const honest = await run(['tail', '--json', ...here(), '--key', 'heidi.key', '--count', '1']);
  assert.is(jsonLines(honest.stdout)[0].text, 'pay 100');
});

test.run();
