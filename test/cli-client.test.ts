/** The commands that talk to a server, as processes of their own. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server as TcpServer } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runCommand } from '../src/cli/command.js';
import { freePort } from '../src/cli/demo/server-process.js';
import { connect as connectClient, FileStore } from '../src/client/index.js';
import { decodeClaim, toHex, verifyClaim } from '../src/protocol/index.js';
import type { Server } from '../src/server/index.js';
import { readKeyFile, writeKeyFile } from '../src/server/keys.js';
import { clientOf, directory, keyOf, serverAt } from './client-helpers.js';
import { countersign, type Ended, jsonLines, type ProgramOptions, start } from './support/program.js';

const test = suite('command line clients');
const cwd = directory('cli-client');
let server: Server;

const run = (args: string[], options: ProgramOptions = {}) => countersign(args, { cwd, ...options });
/** The same in this process, without the time that one of its own takes to start: only for what ends by itself. */
async function runHere([name, ...args]: readonly string[]): Promise<Pick<Ended, 'status' | 'stderr'>> {
  const { command } = await import(`../src/cli/${name}.js`);
  const { write } = process.stderr;
  let stderr = '';
  process.stderr.write = (text: string | Uint8Array) => {
    stderr += text;
    return true;
  };
  try {
    const status = await runCommand(command, args);
    return { status, stderr };
  } finally {
    process.stderr.write = write;
  }
}
const here = () => ['--url', server.url];
/** The last line of a run that went well. */
function summary({ status, stdout, stderr }: Ended) {
  assert.equal([status, stderr], [0, ''], stdout);
  return jsonLines(stdout).at(-1);
}

/** Makes a key file and the key's mailbox. Returns the id. */
async function member(name: string): Promise<string> {
  await writeKeyFile(join(cwd, `${name}.key`), keyOf(name));
  const client = await clientOf(server, name);
  await client.close();
  return toHex(client.id);
}

test.before(async () => {
  const token = join(cwd, 'operator.token');
  await writeKeyFile(token, keyOf('operator'));
  server = await serverAt(directory('cli-client-data'), {
    inboxes: '2',
    outboxes: '2',
    'operator-token': token,
  });
});
test.after(() => server.stop());

test('manifest shows what it verified, in words and as JSON', async () => {
  const { status, stdout } = await run(['manifest', ...here()]);
  assert.is(status, 0);
  assert.match(stdout, new RegExp(`^ {2}server +${server.serverId} `, 'm'));
  assert.match(stdout, /^ {2}root key +[0-9a-f]{64} {3}\(its signature verifies\)$/m);
  assert.match(stdout, /^ {2}sequencer 0 +[0-9a-f]{64} {3}from epoch 1$/m);
  assert.match(stdout, /^ {2}submissions +required: bundles must be signed by their senders$/m);
  assert.match(stdout, /^ {2}body bytes +262144$/m);
  const told = summary(await run(['manifest', '--json', ...here()]));
  assert.is(told.serverId, server.serverId);
  assert.is(told.actors.length, 9);
  assert.is(told.placement.at(-1).lastBucket, 4095);
  assert.is(told.policy.recipients, 1024);
});

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

test('lines of stdin are sent in order, to several, and each is told with its place', async () => {
  const [carol, dave] = [await member('carol'), await member('dave')];
  const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`);
  const args = ['send', '--json', ...here(), '--key', 'carol.key', '--to', carol, '--to', dave, '-'];
  const sent = await run(args, { input: lines.join('\n') });
  assert.is(summary(sent).sent, lines.length);
  const told = jsonLines(sent.stdout).slice(0, -1);
  assert.equal(
    told.map(({ counter }) => counter),
    lines.map((_, i) => i + 1),
  );
  for (const name of ['carol', 'dave']) {
    const got = await run(['tail', '--json', ...here(), '--key', `${name}.key`, '--count', '300']);
    assert.is(summary(got).messages, lines.length);
    const messages = jsonLines(got.stdout).slice(0, -1);
    assert.equal(
      messages.map(({ text }) => text),
      lines,
    );
    assert.equal(
      messages.map(({ place, messageHash }) => [place, messageHash]),
      told.map(({ place, messageHash }) => [place, messageHash]),
    );
  }
});

test('open fetches what the stages have signed, by the key or by the token', async () => {
  const [olga, otto] = [await member('olga'), await member('otto')];
  const stranger = await member('trudy');
  const sent = summary(await run(['send', '--json', ...here(), '--key', 'olga.key', '--to', otto, 'x']));
  assert.is(sent.sent, 1);
  const [{ place }] = jsonLines(
    (await run(['tail', '--json', ...here(), '--key', 'otto.key', '--count', '1'])).stdout,
  );
  const [epoch, inbox, index] = place.split('.');
  const at = ['--epoch', epoch, '--inbox', inbox, '--index', index];
  const open = (...args: string[]) => run(['open', '--json', ...here(), ...at, ...args]);
  for (const stage of ['inbox', 'outbox']) {
    const out = `${stage}.claim`;
    const told = summary(await open('--stage', stage, '--key', 'otto.key', '--out', out));
    const signed = stage === 'inbox' ? { submission: { sender: olga, counter: 1 } } : {};
    assert.equal(told, { stage, isThere: true, files: [out], ...signed });
    const claim = decodeClaim(Uint8Array.from(readFileSync(join(cwd, out))));
    const { serverId, manifest } = server.identity;
    assert.is(verifyClaim(claim, serverId, manifest, serverId).attestation.epoch, Number(epoch));
  }
  const refused = await open('--stage', 'inbox', '--key', 'trudy.key', '--out', 'no.claim');
  assert.equal([refused.status, jsonLines(refused.stdout).at(-1).error.code], [1, 'not-a-party']);
  assert.not.ok(existsSync(join(cwd, 'no.claim')));
  const token = ['--token', 'operator.token', '--internal', server.internalUrl];
  const told = summary(
    await open('--stage', 'receiver', '--mailbox', stranger, ...token, '--out', 'far.claim'),
  );
  assert.is(told.isThere, false);
  assert.ok(told.files.every((name: string) => existsSync(join(cwd, name))));
  const wrong = [
    ['--stage', 'sequencer'],
    ['--stage', 'outbox', ...token],
    ['--stage', 'inbox', '--mailbox', otto],
  ];
  for (const args of wrong) {
    const { status } = await open(
      ...args,
      '--out',
      'no.claim',
      ...(args.includes('--token') ? [] : ['--key', 'otto.key']),
    );
    assert.is(status, 2, args.join(' '));
  }
});

test('what tail has shown it does not show again; SIGINT ends it in order', async () => {
  const erin = await member('erin');
  const send = (body: string) =>
    run(['send', '--json', ...here(), '--key', 'alice.key', '--store', 'alice', '--to', erin, body]);
  const args = ['tail', '--json', ...here(), '--key', 'erin.key', '--store', 'erin-tail'];
  summary(await send('one'));
  const tail = start(args, { cwd });
  await tail.said(/"text":"one"/);
  summary(await send('two'));
  await tail.said(/"text":"two"/);
  tail.child.kill('SIGINT');
  assert.is(summary(await tail.ended).messages, 2);
  summary(await send('three'));
  const again = await run([...args, '--count', '1']);
  assert.is(jsonLines(again.stdout)[0].text, 'three');
  assert.ok(existsSync(join(cwd, 'erin-tail')));
});

test('a full mailbox does not keep its owner from sending, and stays unread', async () => {
  const frank = await member('frank');
  const alice = await clientOf(server, 'a sender of much');
  const body = new Uint8Array(250_000).fill(97);
  await Promise.all(Array.from({ length: 50 }, () => alice.send({ to: frank, body })));
  await alice.close();
  const args = ['--json', ...here(), '--key', 'frank.key'];
  assert.is(summary(await run(['send', ...args, '--to', frank, 'after all'])).sent, 1);
  const got = await run(['tail', ...args, '--count', '51']);
  assert.equal(
    jsonLines(got.stdout)
      .slice(0, -1)
      .map(({ text }) => text.length),
    [...Array.from({ length: 50 }, () => body.length), 'after all'.length],
  );
});

test('a body cannot command the terminal, and one that is no text is not printed', async () => {
  const grace = await member('grace');
  const alice = await clientOf(server, 'a sender of oddities');
  await alice.send({ to: grace, body: 'a\u001b[2J\nb\u202e' });
  await alice.send({ to: grace, body: Uint8Array.of(0xff, 0) });
  await alice.close();
  const { stdout } = await run(['tail', ...here(), '--key', 'grace.key', '--count', '2']);
  assert.match(stdout, /^\S+ {2}[0-9a-f]{64} {2}a\\u001b\[2J\\u000ab\\u202e$/m);
  assert.match(stdout, /^\S+ {2}[0-9a-f]{64} {2}\(2 bytes, no text\)$/m);
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
  for (const [args] of mistakes) ended.push(await runHere(args));
  assert.equal(
    ended.map(({ status, stderr }) => [status, stderr.split('\n')[0]]),
    mistakes.map(([, message]) => [2, `usage: ${message}`]),
  );
});

test('a recipient without a mailbox is refused, and what stood before is told', async () => {
  const to = '66be7e332c7a453332bd9d0a7f7db055f5c5ef1a06ada66d98b39fb6810c473a';
  const args = ['send', '--json', ...here(), '--key', 'alice.key', '--to', to];
  const { status, stdout } = await run([...args, 'x']);
  assert.is(status, 1);
  assert.is(jsonLines(stdout).at(-1).error.code, 'no-such-mailbox');
  // Ends although nobody closes its stdin.
  const open = start([...args, '-'], { cwd });
  open.child.stdin.write('x\n');
  assert.is((await open.ended).status, 1);
});

test('no server, another server and no Countersign server are told apart', async () => {
  const key = ['--key', 'alice.key'];
  const nowhere = ['--url', `http://127.0.0.1:${await freePort()}`];
  const nobody = await run(['tail', ...key, ...nowhere]);
  assert.match(nobody.stderr, /^connection-lost: .*ECONNREFUSED.*\nIs a server running at that address\?/);
  assert.match((await run(['manifest', ...nowhere])).stderr, /^connection-lost: /);
  const other = await run(['tail', ...key, ...here(), '--server', '00'.repeat(32)]);
  assert.match(other.stderr, new RegExp(`^wrong-server: server ${server.serverId} answers`));
  for (const [answer, code] of [
    ['<html>', 'connection-lost: .*: no JSON object'],
    ['null', 'connection-lost: '],
    ['{}', 'verification-failed: manifest: base64 text expected'],
    ['{"manifest": "AAAA", "signature": "%"}', 'verification-failed: manifest: base64'],
    ['{"manifest": "AAAA", "signature": "AAAA"}', 'verification-failed: manifest: '],
  ] as const) {
    const web = createHttpServer((_, response) => response.end(answer));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    const { status, stderr } = await runHere(['manifest', '--url', url]);
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

test('a message under way when a run ended is sent by the next, and told as such', async () => {
  const ivan = await member('ivan');
  const path = join(cwd, 'ivan-store');
  // What a run leaves behind that was ended before its receipt came.
  const key = await readKeyFile(join(cwd, 'alice.key'));
  const first = await connectClient({ url: server.url, key, store: new FileStore(path) });
  first.send({ to: ivan, body: 'early' }).catch(() => {});
  await first.close();
  const args = ['send', '--json', ...here(), '--key', 'alice.key', '--store', path, '--to', ivan, 'now'];
  const { status, stdout } = await run(args);
  assert.is(status, 0);
  assert.equal(
    jsonLines(stdout).map(({ late }) => late),
    [true, undefined, undefined],
  );
  const got = await run(['tail', '--json', ...here(), '--key', 'ivan.key', '--count', '2']);
  assert.equal(
    jsonLines(got.stdout).map(({ text }) => text),
    ['early', 'now', undefined],
  );
});

test.run();
