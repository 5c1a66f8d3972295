/** What an audit costs: epochs and messages a second, and CPU, from a directory, over the network, and item by item. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { audit } from '../../src/protocol/audit/index.js';
import { decodePlaced, encodeBundle, encodeSubmit, FRAME, type Placed } from '../../src/protocol/index.js';
import { openKeptDirectory } from '../../src/server/kept-directory.js';
import { clientOf, directory, read, serverAt, unsignedAt } from '../client-helpers.js';
import { idOf } from '../support/names.js';
import { countersign } from '../support/program.js';
import { Raw } from '../support/raw.js';
import { talk } from '../support/talker.js';

const test = suite('what an audit costs');
const MAILBOXES = 100;
const FRAMES = 400;
const PER_FRAME = 500;
const OPENED = 20;
const ALONE = 500;

/** Sends everything, a few frames ahead of what is placed; resolves with the last that were. */
async function fill(url: string): Promise<Placed> {
  const names = Array.from({ length: MAILBOXES }, (_, i) => `mailbox ${i}`);
  for (const name of names) (await Raw.session(url, '/v1/front', name)).close();
  const sender = await Raw.session(url, '/v1/front', names[0]!);
  const zero = new Uint8Array(32);
  const body = new Uint8Array(128);
  let placed = 0;
  let last: Placed | null = null;
  for (let frame = 0; frame < FRAMES; frame++) {
    const bundles = Array.from({ length: PER_FRAME }, (_, i) => {
      const mailbox = idOf(names[(frame * PER_FRAME + i) % MAILBOXES]!);
      return encodeBundle([{ mailbox, envelope: new Uint8Array(0) }], body, zero);
    });
    sender.send(encodeSubmit(0, frame * PER_FRAME + 1, bundles));
    while (placed < (frame - 6) * PER_FRAME || (frame === FRAMES - 1 && placed < FRAMES * PER_FRAME)) {
      last = decodePlaced(await sender.next(FRAME.placed));
      placed += last.messages.length;
    }
  }
  sender.close();
  return last!;
}

const told = (
  title: string,
  { messages, epochs, seconds, messagesPerSecond, epochsPerSecond }: Record<string, number>,
) =>
  console.log(
    `${title}: ${messages} messages in ${epochs} epochs, ${seconds} s: ${messagesPerSecond} and ${epochsPerSecond} a second`,
  );

async function audited(...args: string[]): Promise<Record<string, number>> {
  const { status, stdout, stderr } = await countersign(['audit', ...args, '--json']);
  assert.is(status, 0, stderr);
  return JSON.parse(stdout);
}

/** CPU of an audit in this process. */
async function spent(data: string): Promise<void> {
  const { source, close } = await openKeptDirectory(data);
  const before = process.cpuUsage();
  const { messages, epochs } = await audit(source);
  const { user, system } = process.cpuUsage(before);
  await close();
  const perMessage = ((user + system) / Math.max(messages, 1)).toFixed(1);
  const perEpoch = Math.round((user + system) / epochs);
  console.log(`CPU: ${perMessage} µs a message, ${perEpoch} µs an epoch`);
}

test('full epochs, and empty ones', async () => {
  const token = join(mkdtempSync(join(tmpdir(), 'countersign-token-')), 'token');
  const secret = '5a'.repeat(32);
  writeFileSync(token, `${secret}\n`, { mode: 0o600 });
  const data = directory('audit-cost');
  const full = await unsignedAt(data, { 'operator-token': token, 'epoch-heartbeat-ms': '600000' });
  const { epoch, inbox, messages } = await fill(full.url);
  const end = await talk(full.url, 'talker');
  await new Promise((resolve) => setTimeout(resolve, 2000));
  console.log(`milliseconds to a receipt, median and 99 of 100: ${await end()} without an audit`);
  const endBeside = await talk(full.url, 'other talker');
  const online = await audited('--token', token, '--url', full.url, '--internal', full.internalUrl);
  console.log(`and ${await endBeside()} beside one`);
  told('over the network', online);
  assert.ok(online.messages! >= FRAMES * PER_FRAME);
  const began = performance.now();
  for (const { index } of messages.slice(0, OPENED)) {
    const query = `epoch=${epoch}&stage=inbox&inbox=${inbox}&index=${index}`;
    const headers = { authorization: `Bearer ${secret}` };
    assert.is((await fetch(`${full.internalUrl}/v1/openings?${query}`, { headers })).status, 200);
  }
  const perSecond = Math.round((OPENED * 1000) / (performance.now() - began));
  console.log(`item by item: ${perSecond} openings a second, of which a message to one needs seven`);
  await full.stop();
  told('from the directory', await audited('--data', data));
  await spent(data);

  // More epochs than an answer holds, while the log grows.
  const idle = directory('audit-cost');
  const empty = await unsignedAt(idle, { 'operator-token': token, 'epoch-heartbeat-ms': '1' });
  while (empty.checkpoint().size < 2500) await new Promise((resolve) => setTimeout(resolve, 50));
  const many = await audited('--token', token, '--url', empty.url, '--internal', empty.internalUrl);
  told('empty epochs over the network', many);
  assert.ok(many.epochs! >= 2500);
  await empty.stop();
  told('empty epochs from the directory', await audited('--data', idle));
  await spent(idle);
});

test('messages alone in their epochs, which their senders have signed, and have not', async () => {
  for (const submissions of ['required', 'off']) {
    const data = directory('audit-cost');
    const server = await serverAt(data, { submissions, 'epoch-heartbeat-ms': '600000' });
    const client = await clientOf(server, 'ann');
    for (let i = 0; i < ALONE; i++) {
      await client.send({ to: client.id, body: 'x' });
      await read(client, 1);
    }
    await client.close();
    await server.stop();
    console.log(`submissions: ${submissions}`);
    await spent(data);
  }
});

test.run();
