/** The commands that talk to a server, as processes of their own: more of what they do than in the fast test. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect as connectClient, FileStore } from '../../src/client/index.js';
import { decodeClaim, verifyClaim } from '../../src/protocol/index.js';
import { readKeyFile } from '../../src/server/keys.js';
import { clientOf } from '../client-helpers.js';
import { cwd, here, member, run, server, summary } from '../support/cli-client.js';
import { jsonLines, start } from '../support/program.js';

const test = suite('command line clients');

test.before(() => void member('alice'));
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
  const key = readFileSync(join(cwd, 'otto.key'));
  const over = await open('--stage', 'outbox', '--key', 'otto.key', '--out', 'otto.key');
  assert.equal([over.status, jsonLines(over.stdout).at(-1).error.code], [1, 'file-exists']);
  assert.equal(readFileSync(join(cwd, 'otto.key')), key);
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
