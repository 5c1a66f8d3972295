/** Recipients look at who has signed what they received; an inbox that took in something else is convicted. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client, CountersignError, Message } from '../../src/client/index.js';
import { toHex } from '../../src/protocol/index.js';
import { loadConfig, type Server, startServer } from '../../src/server/index.js';
import { writeKeyFile } from '../../src/server/keys.js';
import { clientOf, directory, keyOf, serverAt } from '../client-helpers.js';
import type { Cheat } from '../support/cheating-worker.js';
import { countersign } from '../support/program.js';

const test = suite('submissions, checked by recipients');
const WORKER = fileURLToPath(new URL('../support/cheating-worker.js', import.meta.url));

async function received(client: Client, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of client.mailbox()) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

const opened = (client: Client, message: Message) =>
  client.open({ stage: 'inbox', ...message.place, message });

function rejected(work: Promise<unknown>): Promise<CountersignError> {
  return work.then(
    () => {
      throw new Error('it is opened');
    },
    (error) => error,
  );
}

async function command(server: Server, name: string, message: Message, args: readonly string[] = []) {
  const cwd = mkdtempSync(join(tmpdir(), 'countersign-opened-'));
  await writeKeyFile(join(cwd, `${name}.key`), keyOf(name));
  const { epoch, inbox, index } = message.place;
  const place = ['--epoch', `${epoch}`, '--inbox', `${inbox}`, '--index', `${index}`];
  const key = args.length > 0 ? args : ['--key', `${name}.key`];
  const asked = [
    'open',
    '--json',
    '--url',
    server.url,
    ...key,
    '--stage',
    'inbox',
    ...place,
    '--out',
    'claim',
  ];
  const { status, stdout } = await countersign(asked, { cwd });
  return { cwd, status, told: JSON.parse(stdout.trim().split('\n').at(-1)!) };
}

test('who has signed a message, with which counter, is shown to its recipients and its sender', async () => {
  const data = directory('submitted');
  const token = join(data, 'operator.token');
  writeFileSync(token, `${'5a'.repeat(32)}\n`, { mode: 0o600 });
  const server = await serverAt(data, { submissions: 'accepted', 'operator-token': token });
  const [ann, bob] = [await clientOf(server, 'ann'), await clientOf(server, 'bob')];
  try {
    const bodies = Array.from({ length: 200 }, (_, i) => `${i}`);
    const receipts = await Promise.all(bodies.map((body) => ann.send({ to: [ann.id, bob.id], body })));
    const messages = await received(bob, 200);
    for (const message of [0, 63, 64, 130, 199].map((i) => messages[i]!)) {
      const { isThere, submission } = await opened(bob, message);
      assert.is(isThere, true);
      assert.equal([toHex(submission!.sender), submission!.counter], [message.senderHex, message.counter]);
    }
    const { place } = receipts[7]!;
    assert.is((await ann.open({ stage: 'inbox', ...place })).submission?.counter, 8);
    assert.is((await ann.open({ stage: 'outbox', ...place })).submission, null);
    const error = await rejected(bob.open({ stage: 'inbox', ...place, message: messages[8]! }));
    assert.match(error.message, 'another message than the row names');
    const nowhere = await rejected(bob.open({ stage: 'outbox', ...place, message: messages[7]! }));
    assert.instance(nowhere, TypeError);
    const internal = ['--token', token, '--internal', server.internalUrl];
    for (const args of [[], internal]) {
      const { told } = await command(server, 'bob', messages[7]!, args);
      assert.equal(told.submission, { sender: toHex(ann.id), counter: 8 });
    }
  } finally {
    await Promise.all([ann.close(), bob.close()]);
    await server.stop();
  }
});

test('an inbox that alters a message and takes its signature away is named by evidence that anybody judges', async () => {
  const data = directory('forged');
  const file = join(data, 'cheat.json');
  process.env['CHEAT_FILE'] = file;
  const flags = { data, port: '0', 'internal-port': '0', submissions: 'required' };
  const server = await startServer(loadConfig({ flags, env: {}, cores: 2 }), { workerModule: WORKER });
  const [ann, bob] = [await clientOf(server, 'ann'), await clientOf(server, 'bob')];
  try {
    await ann.send({ to: bob.id, body: 'as it is' });
    const cheat: Cheat = { way: 'forge', from: toHex(ann.id), to: toHex(bob.id) };
    writeFileSync(file, JSON.stringify(cheat));
    // Ann's own chain shows her another message than she sent, so she leaves.
    await rejected(ann.send({ to: bob.id, body: 'a' }));
    const [good, forged] = await received(bob, 2);
    assert.is(Buffer.from(forged!.body).toString(), '`');
    assert.is((await opened(bob, good!)).submission?.counter, 1);
    let evidence: Uint8Array | null = null;
    bob.on('evidence', (told) => {
      evidence = told.evidence;
    });
    assert.is((await rejected(opened(bob, forged!))).code, 'verification-failed');
    const { cwd, status, told } = await command(server, 'bob', forged!);
    assert.is(status, 1);
    assert.is(told.error.code, 'verification-failed');
    assert.equal(readFileSync(join(cwd, 'claim.evidence')), Buffer.from(evidence!));
    const root = toHex(bob.manifest.rootKey);
    const judge = ['verify', '--json', '--server', toHex(bob.serverId), '--root', root, 'claim.evidence'];
    const judged = await countersign(judge, { cwd });
    const { outcome, role, index, rule } = JSON.parse(judged.stdout);
    assert.equal([judged.status, outcome, role, index, rule], [0, 'actor', 'inbox', 0, 'inboxRow']);
  } finally {
    await Promise.all([ann.close(), bob.close()]);
    await server.stop();
  }
});

test.run();
