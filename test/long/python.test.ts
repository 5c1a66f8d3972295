/** The client in plain Python against a server, and the program's own client. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect } from '../../src/client/index.js';
import { toHex } from '../../src/protocol/index.js';
import { writeKeyFile } from '../../src/server/keys.js';
import { keyOf } from '../client-helpers.js';
import { countersign, jsonLines, start } from '../support/program.js';
import { cwd, endings, example, isMissing, server } from '../support/python.js';

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
    assert.ok(told.verified >= 41, `${told.verified} deliveries`);
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

all.run();
