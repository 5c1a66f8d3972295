/** The client in plain Python against a server, and the program's own client. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect } from '../../src/client/index.js';
import { toHex } from '../../src/protocol/index.js';
import { writeKeyFile } from '../../src/server/keys.js';
import { changeActors } from '../../src/server/resizing.js';
import { rotateKeys } from '../../src/server/rotation.js';
import { keyOf } from '../client-helpers.js';
import { countersign, jsonLines, start } from '../support/program.js';
import { cwd, data, endings, example, exampleAt, isMissing, server, states } from '../support/python.js';
import { ServerProcess } from '../support/server-process.js';

const RECIPIENTS = [1, 2, 16, 17, 40];
const NAMES = [
  'alice',
  'bob',
  'carol',
  ...Array.from({ length: 38 }, (_, i) => `r${`${i + 3}`.padStart(2, '0')}`),
];
const all = suite('client in Python');
const test = isMissing ? all.skip : all;
let ids: Record<string, string>;

all.before(async () => {
  if (isMissing) return;
  assert.is(await server.start(), null);
  endings.push(() => server.kill('SIGKILL'));
});
all.after(async () => {
  await Promise.all(endings.map((end) => end()));
});

for (const run of ['from nothing', 'again, from what it kept']) {
  test(`it sends, receives, verifies, resumes and refuses what is tampered with: ${run}`, async () => {
    const told = await example('demo');
    assert.is(told.sent, 16 + 66);
    assert.is(told.receipts, told.sent);
    // To herself, to two, twice to each number of recipients, to Bob and 16 others three times, to Bob, 66 times to Carol.
    const expected = 1 + 2 + 2 * RECIPIENTS.reduce((sum, n) => sum + n) + 3 * 17 + 1 + 66;
    assert.equal([told.expected, told.received], [expected, expected]);
    // Of a backlog three, a still, and one at least before: each may be for many mailboxes.
    assert.ok(told.verified >= 5, `${told.verified} deliveries`);
    assert.equal([told.backlog, told.backlogUnderOneCheckpoint, told.still], [3, true, true]);
    assert.ok(told.tampered > 100, `${told.tampered} copies`);
    assert.equal([told.refused, told.passed], [told.tampered, []]);
  });
}

test('what it sends to 1, 2, 16, 17 and 40, the program receives', async () => {
  await writeKeyFile(join(cwd, 'dora.key'), keyOf('dora'));
  const dora = await connect({ url: server.url, key: keyOf('dora') });
  const id = toHex(dora.id);
  await dora.close();
  ids = (await example('id', ...NAMES)).ids;
  assert.is(new Set(Object.values(ids)).size, 41);
  const args = ['tail', '--json', '--url', server.url, '--key', 'dora.key', '--count', '5'];
  const tail = start(args, { cwd });
  endings.push(() => tail.child.kill());
  const to = RECIPIENTS.flatMap((n) => ['--to', [id, ...NAMES.slice(1, n).map((name) => ids[name])].join()]);
  const told = await example('send', ...to, '--envelope', 'for you', 'alice', 'hello from Python');
  assert.is(told.sent, RECIPIENTS.length);
  const { status, stdout } = await tail.ended;
  assert.is(status, 0);
  const got = jsonLines(stdout).filter((line) => 'place' in line);
  assert.equal(
    got.map(({ place }) => place),
    told.receipts.map(({ place }: { place: string }) => place),
  );
  assert.is(stdout.split('hello from Python').length - 1, RECIPIENTS.length);
});

test('what the program sends to 1, 2, 16, 17 and 40, it receives', async () => {
  const client = await connect({ url: server.url, key: keyOf('emil') });
  endings.push(() => client.close());
  for (const n of RECIPIENTS) {
    const recipients = NAMES.slice(1, n + 1).map((name) => ids[name]!);
    await client.send({ to: recipients, body: `from the library to ${n}` });
  }
  await writeKeyFile(join(cwd, 'fred.key'), keyOf('fred'));
  const args = ['send', '--json', '--url', server.url, '--key', 'fred.key', '--to', ids['bob']!];
  const sent = await countersign([...args, 'from the command line'], { cwd });
  assert.equal([sent.status, sent.stderr], [0, '']);
  const told = await example('receive', '--count', '17', 'bob', 'carol');
  const bodies = told.received.bob.map(({ body }: { body: string }) => body).slice(-6);
  assert.equal(bodies, [...RECIPIENTS.map((n) => `from the library to ${n}`), 'from the command line']);
  assert.is(told.received.carol.length, 3 + 4);
  const still = await example('still', 'carol');
  assert.is(still.still, true);
});

/** What the server has until now, in another directory; the server is started again. */
async function copyOf(name: string): Promise<string> {
  const copy = join(cwd, name);
  await server.kill('SIGTERM');
  cpSync(data, copy, { recursive: true, filter: (source) => !source.endsWith('lock') });
  return copy;
}

test('it finds its mailboxes where they were moved, and takes what came before and after', async () => {
  states.copy('unmoved');
  const client = await connect({ url: server.url, key: keyOf('gina') });
  const receivers = ['bob', 'carol'];
  await client.send({ to: receivers.map((name) => ids[name]!), body: 'before' });
  await client.close();
  const moved = await copyOf('moved');
  assert.is(await server.start(), null);
  await changeActors(moved, { inboxes: 1, outboxes: 5 });
  const other = await ServerProcess.at(moved);
  assert.is(await other.start(), null);
  endings.push(() => other.kill('SIGKILL'));
  const again = await connect({ url: other.url, key: keyOf('gina') });
  await again.send({ to: receivers.map((name) => ids[name]!), body: 'after' });
  await again.close();
  const { status, stdout, stderr } = await exampleAt(other.url, 'receive', '--count', '4', ...receivers);
  assert.equal([status, stderr], [0, ''], stdout);
  const { received } = JSON.parse(stdout);
  for (const name of receivers)
    assert.equal(
      received[name].map(({ body }: { body: string }) => body).slice(-2),
      ['before', 'after'],
      name,
    );
  assert.is(states.versions(), 2);
  const demo = await exampleAt(other.url, 'demo');
  assert.equal([demo.status, JSON.parse(demo.stdout).passed], [0, []], demo.stderr);
  await other.kill('SIGTERM');
  // The server that was copied has only what came before.
  states.use('unmoved');
  const { received: here } = await example('receive', '--count', '2', ...receivers);
  assert.is(here.bob.at(-1).body, 'before');
});

test('it follows the versions of the manifest, and what came under each of them', async () => {
  const client = await connect({ url: server.url, key: keyOf('emil') });
  endings.push(() => client.close());
  const send = (text: string) => client.send({ to: ids['bob']!, body: text });
  const told: string[] = [];
  states.copy('before');
  const old = await copyOf('old');
  for (const names of [['outbox-0', 'outbox-1'], ['sequencer-0', 'outbox-0'], null]) {
    assert.is(await server.start(), null);
    told.push(`before version ${told.length + 2}`);
    await send(told.at(-1)!);
    await server.kill('SIGTERM');
    await rotateKeys(data, names);
  }
  assert.is(await server.start(), null);
  told.push('now');
  await send('now');
  const got = await example('receive', '--count', '4', 'bob');
  assert.equal(
    got.received.bob.map(({ body }: { body: string }) => body),
    told,
  );
  assert.is(states.versions(), 4);
  const demo = await example('demo');
  assert.equal([demo.receipts, demo.passed], [demo.sent, []]);
  assert.ok(demo.received >= demo.expected, `${demo.received} of ${demo.expected}`);

  // It takes over the versions alone: the log that it knows is still that of both copies.
  await client.close();
  states.use('before');
  // The server has more acknowledged than this state, of which the client warns.
  assert.is((await exampleAt(server.url, ...NOTHING)).status, 0);
  assert.is(states.versions(), 4);
  // An older copy of the server has gone back, and one whose keys were changed otherwise has another version 2.
  const rival = await copyOf('rival');
  await refused(old, /the server has gone back/);
  states.use('before');
  await rotateKeys(old, ['outbox-0']);
  assert.is((await runAt(old)).status, 0);
  assert.is(states.versions(), 2);
  await refused(rival, /another version 2/);
});

/** Connects, and takes nothing. */
const NOTHING = ['receive', '--count', '0', 'bob'] as const;

async function runAt(directory: string) {
  const other = await ServerProcess.at(directory, { inboxes: '2', outboxes: '2' });
  assert.is(await other.start(), null);
  try {
    return await exampleAt(other.url, ...NOTHING);
  } finally {
    await other.kill('SIGTERM');
  }
}

async function refused(directory: string, text: RegExp): Promise<void> {
  const { status, stderr } = await runAt(directory);
  assert.is(status, 1);
  assert.match(stderr, text);
}

all.run();
