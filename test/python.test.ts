/** The client in plain Python: the document's examples, all of it against a server, and the program's own client. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect } from '../src/client/index.js';
import { toHex } from '../src/protocol/index.js';
import { writeKeyFile } from '../src/server/keys.js';
import { directory, keyOf } from './client-helpers.js';
import { countersign, type Ended, jsonLines, start } from './support/program.js';
import { ServerProcess } from './support/server-process.js';

const PYTHON = '/usr/bin/python3';
const EXAMPLES = fileURLToPath(new URL('../../examples/python/', import.meta.url));
const RECIPIENTS = [1, 2, 16, 17, 40];
const NAMES = [
  'alice',
  'bob',
  'carol',
  ...Array.from({ length: 38 }, (_, i) => `r${`${i + 3}`.padStart(2, '0')}`),
];

function findPython(): boolean {
  if (!existsSync(PYTHON)) return false;
  try {
    execFileSync(PYTHON, ['-c', 'import cryptography, websockets'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const isMissing = !process.env['CI'] && !findPython();
if (isMissing)
  console.log(`SKIPPED: no ${PYTHON} with websockets and cryptography; .ci/install-debian installs them`);
const all = suite('client in Python');
const test = isMissing ? all.skip : all;
const cwd = directory('python');
const state = join(cwd, 'state.json');
let server: ServerProcess;
let ids: Record<string, string>;
/** What is ended when the tests are over, also when one has failed in between. */
const endings: (() => unknown)[] = [];

function python(args: readonly string[]): Promise<Ended> {
  const child = spawn(PYTHON, ['-B', ...args], { cwd: EXAMPLES });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** One command of the example; what it printed. */
async function example(command: string, ...args: string[]) {
  const at = command === 'id' ? [] : ['--url', server.url];
  const { status, stdout, stderr } = await python(['example.py', command, '--state', state, ...at, ...args]);
  assert.equal([status, stderr], [0, ''], stdout);
  return JSON.parse(stdout);
}

all.before(async () => {
  if (isMissing) return;
  server = await ServerProcess.at(join(cwd, 'data'), {
    ...{ inboxes: '2', outboxes: '2', submissions: 'required' },
  });
  assert.is(await server.start(), null);
  endings.push(() => server.kill('SIGKILL'));
});
all.after(async () => {
  await Promise.all(endings.map((end) => end()));
});

test('its primitives agree with every example of the document', async () => {
  const { status, stderr } = await python(['test_vectors.py']);
  assert.is(status, 0, stderr);
  assert.match(stderr, /^Ran \d\d tests in .*\n\nOK\n$/m);
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
