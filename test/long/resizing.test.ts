/** Other numbers of inboxes and outboxes: the program, what it leaves on disk, killed before each of its steps, and what it refuses. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fullKey, numberKey, TABLE } from '../../src/actors/store-keys.js';
import { audit } from '../../src/protocol/audit/index.js';
import { type CountersignError, getU16, getU32, getU64, toHex } from '../../src/protocol/index.js';
import type { Server } from '../../src/server/index.js';
import { openKeptDirectory } from '../../src/server/kept-directory.js';
import type { ManifestChange } from '../../src/server/manifest-change.js';
import type { OperatorError } from '../../src/server/operator-error.js';
import { changeActors } from '../../src/server/resizing.js';
import { Store } from '../../src/server/store.js';
import { clientOf, directory, read, serverAt } from '../client-helpers.js';
import { countersign } from '../support/program.js';
import { refused } from '../support/rotation-client.js';
import { FIRST, STRIDE } from '../worlds.js';

const test = suite('numbers of actors');
const RESIZING = fileURLToPath(new URL('../support/resizing.js', import.meta.url));

const NAMES = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay'];
/** What everybody but the first two has not acknowledged; those have the first message. */
const TEXTS = ['one', 'two', 'three'];

/** Makes so many epochs that counts and states are written. */
async function chatter(server: Server): Promise<void> {
  const client = await clientOf(server, 'gus');
  for (let i = 0; i < 80; i++) {
    // Its acknowledgment may still be under way.
    const isSent = await client.send({ to: client.id, body: 'x' }).then(
      () => true,
      () => false,
    );
    if (isSent) await read(client, 1);
    else await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await client.close();
}

/** A server with mail, stopped. */
async function used(): Promise<string> {
  const data = directory('resizing');
  const server = await serverAt(data);
  const clients = await Promise.all(NAMES.map((name) => clientOf(server, name)));
  const to = clients.map(({ id }) => id);
  for (const body of TEXTS) await clients[5]!.send({ to, body });
  for (const client of clients.slice(0, 2)) assert.equal(await read(client, 1), TEXTS.slice(0, 1));
  for (const client of clients) await client.close();
  await chatter(server);
  await server.stop();
  return data;
}

const template = await used();
function copyOf(from: string): string {
  const data = directory('resizing');
  cpSync(from, data, { recursive: true, filter: (source) => !source.endsWith('lock') });
  return data;
}

/** By epoch and outbox: how many of its mailboxes have not acknowledged. */
async function countsIn(data: string): Promise<string[]> {
  const store = Store.openToRead(data);
  const [from, to] = [0, Number.MAX_SAFE_INTEGER].map((epoch) => numberKey(TABLE.references, epoch));
  const counts = [...store.range(from!, to!)].map(
    ({ key, value }) => `${getU64(key, 1)} ${getU16(key, 9)}: ${getU32(value, 0)}`,
  );
  await store.close();
  return counts;
}

async function findingsIn(data: string): Promise<readonly unknown[]> {
  const kept = await openKeptDirectory(data);
  const { findings } = await audit(kept.source);
  await kept.close();
  return findings;
}

/** Everybody gets what it has not acknowledged, from the beginning as far as it is known. */
async function takeAll(data: string): Promise<readonly [number, number]> {
  const server = await serverAt(data);
  const take = async (name: string, i: number) => {
    const client = await clientOf(server, name);
    const expected = TEXTS.slice(i < 2 ? 1 : 0);
    assert.equal(await read(client, expected.length), expected, name);
    await client.close();
  };
  await Promise.all(NAMES.map(take));
  await server.stop();
  return [server.config.inboxes, server.config.outboxes];
}

test('the program makes actors more and fewer: keys and counts follow, and nothing else is asked of the operator', async () => {
  const data = copyOf(template);
  const before = await countsIn(data);
  assert.ok(before.every((line) => line.includes(' 0: ')));
  const { status, stdout } = await countersign([
    ...['actors', '--data', data, '--inboxes', '3', '--outboxes', '2', '--json'],
  ]);
  assert.is(status, 0);
  const changed = JSON.parse(stdout) as ManifestChange & { inboxes: number; outboxes: number };
  assert.equal([changed.version, changed.inboxes, changed.outboxes], [2, 3, 2]);
  assert.equal(changed.actors.map(({ actor }) => actor).sort(), [
    'inbox-1',
    'inbox-2',
    'outbox-1',
    'receiver-1',
    'router-1',
    'router-2',
  ]);
  const keys = () => readdirSync(join(data, 'keys')).sort();
  assert.is(keys().length, 12);
  // As many as before need each epoch, whichever outbox they are at now; a restart forgets the newest acknowledgments.
  const perEpoch = (lines: readonly string[]) => {
    const sums = new Map<string, number>();
    for (const line of lines) {
      const [, epoch, count] = /^(\d+) \d+: (\d+)$/.exec(line)!;
      sums.set(epoch!, (sums.get(epoch!) ?? 0) + Number(count));
    }
    return [...sums];
  };
  const [was, is] = [perEpoch(before), perEpoch(await countsIn(data))];
  assert.equal(is.slice(0, was.length), was);
  assert.equal(
    is.slice(0, 3).map(([, count]) => count),
    [4, 6, 6],
  );
  assert.ok((await countsIn(data)).some((line) => line.includes(' 1: ')));
  assert.equal(await findingsIn(data), []);
  const { stdout: shown } = await countersign(['actors', '--data', data, '--inboxes', '1']);
  assert.match(shown, /version 3[\s\S]*1 inboxes, 2 outboxes/);
  assert.is(keys().length, 8);
  assert.not.ok(keys().some((name) => /inbox-[12]|router-[12]|next/.test(name)));
  assert.equal(await takeAll(data), [1, 2]);
  assert.equal(await findingsIn(data), []);
});

test('actors are made fewer several times without an epoch between', async () => {
  const data = copyOf(template);
  const firsts: number[] = [];
  for (const inboxes of [3, 2, 1]) firsts.push((await changeActors(data, { inboxes })).firstEpoch);
  assert.equal(
    firsts.map((first) => first - firsts[0]!),
    [0, 1, 2],
  );
  assert.equal(await takeAll(data), [1, 1]);
  assert.equal(await findingsIn(data), []);
});

test('bodies of before a move stay until the last of all outboxes has no need of them', async () => {
  const data = copyOf(template);
  await changeActors(data, { outboxes: 4 });
  const bodiesIn = async () => {
    const store = Store.openToRead(data);
    const [from, to] = [0, Number.MAX_SAFE_INTEGER].map((epoch) => numberKey(TABLE.bodies, epoch));
    const bodies = [...store.keys(from!, to!)].map((key) => getU64(key, 1));
    await store.close();
    return bodies;
  };
  const old = await bodiesIn();
  assert.ok(old.length >= TEXTS.length);
  // Half of them.
  const server = await serverAt(data);
  for (const name of NAMES.slice(0, 3)) {
    const client = await clientOf(server, name);
    await read(client, name === 'cat' ? 3 : 2);
    await client.close();
  }
  await chatter(server);
  assert.equal((await bodiesIn()).slice(0, 3), old.slice(0, 3));
  for (const name of NAMES.slice(3)) {
    const client = await clientOf(server, name);
    await read(client, 3);
    await client.close();
  }
  await chatter(server);
  const kept = await bodiesIn();
  for (const epoch of old.slice(0, 3)) assert.not.ok(kept.includes(epoch));
  await server.stop();
});

// A directory, the keys of those that begin, five steps of the move, the manifest, keys into their places or deleted, no directory.
const MORE = { from: template, inboxes: 2, outboxes: 3, steps: 1 + 6 + 5 + 1 + 6 + 1, decided: 1 + 6 + 5 };
const larger = copyOf(template);
await changeActors(larger, { inboxes: 2, outboxes: 3 });
const FEWER = { from: larger, inboxes: 1, outboxes: 2, steps: 1 + 5 + 1 + 4 + 1, decided: 1 + 5 };

for (const [name, { from, inboxes, outboxes, steps, decided }] of Object.entries({
  more: MORE,
  fewer: FEWER,
}))
  test(`killed before any step on the way to ${name} actors, the old state is left or the new one, and the server starts`, async () => {
    const before = readdirSync(join(from, 'keys'));
    for (const at of Array(steps + 1).keys()) {
      if (at !== steps && at % STRIDE !== FIRST) continue;
      const data = copyOf(from);
      const child = spawn(process.execPath, [RESIZING, data, `${inboxes}`, `${outboxes}`, `${at}`], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const [, signal] = await once(child, 'close');
      assert.is(signal, at === steps ? null : 'SIGKILL', `step ${at}`);
      const counts = await takeAll(data);
      const isNew = at > decided;
      const expected = isNew ? [inboxes, outboxes] : from === template ? [1, 1] : [2, 3];
      assert.equal(counts, expected, `step ${at}`);
      const names = readdirSync(join(data, 'keys'));
      assert.is(names.length, isNew ? 2 + 2 * (inboxes + outboxes) : before.length, `step ${at}: ${names}`);
      assert.not.ok(existsSync(join(data, 'keys', 'next')), `step ${at}`);
      assert.equal(await findingsIn(data), [], `step ${at}`);
      // And it can be done again.
      await changeActors(data, { inboxes: 4 });
    }
  });

test('a full mailbox is refused after a move as before, whenever it became full, until it is read', async () => {
  const data = directory('resizing');
  const flags = { 'limits-unacknowledged-epochs': '3' };
  let server = await serverAt(data, flags);
  const names = ['full 0', 'full 1', 'full 2', 'full 3'];
  const ids: Uint8Array[] = [];
  for (const name of names) {
    const client = await clientOf(server, name);
    ids.push(client.id);
    await client.close();
  }
  const outcome = async (to: readonly Uint8Array[]) => {
    const ann = await clientOf(server, 'ann');
    const sent = await Promise.all(
      to.map((id) =>
        ann.send({ to: id, body: 'x' }).then(
          () => 'sent',
          ({ code }: CountersignError) => code,
        ),
      ),
    );
    await ann.close();
    return sent;
  };
  const all = (text: string, count: number) => Array(count).fill(text);
  for (let i = 0; i < 3; i++) assert.equal(await outcome(ids.slice(0, 2)), all('sent', 2));
  // These two are written down as full; the others become so behind the last flush.
  await chatter(server);
  for (let i = 0; i < 3; i++) assert.equal(await outcome(ids.slice(2)), all('sent', 2));
  assert.equal(await outcome(ids), all('mailbox-full', 4));
  for (const counts of [{ inboxes: 2, outboxes: 3 }, { outboxes: 2 }]) {
    await server.stop();
    await changeActors(data, counts);
    server = await serverAt(data, flags);
    assert.equal(await outcome(ids), all('mailbox-full', 4));
  }
  for (const name of names) {
    const client = await clientOf(server, name);
    await read(client, 3);
    await client.close();
  }
  for (const id of ids)
    for (let tries = 0; (await outcome([id]))[0] !== 'sent'; tries++) assert.ok(tries < 50);
  // And they are not written down any more, once that is flushed.
  await chatter(server);
  await server.stop();
  const store = Store.openToRead(data);
  const written = [...store.keys(fullKey(0), fullKey(10))].map((key) => toHex(key.subarray(3)));
  for (const id of ids) assert.not.ok(written.includes(toHex(id)));
  await store.close();
});

test('while a server runs, of a directory that is none, and with numbers that are none nothing is changed', async () => {
  const data = copyOf(template);
  const server = await serverAt(data);
  await refused('data-locked', () => changeActors(data, { inboxes: 2 }));
  await server.stop();
  await refused('actors-same', () => changeActors(data, { inboxes: 1 }));
  for (const inboxes of [0, 4097, 1.5])
    await refused('actors-invalid', () => changeActors(data, { inboxes }));
  const empty = directory('resizing');
  await refused('data-not-found', () => changeActors(empty, { inboxes: 2 }));
  assert.equal(readdirSync(empty), []);
  for (const args of [[], ['--data', data], ['--data', data, '--inboxes', '0'], ['--inboxes', '2']])
    assert.is((await countersign(['actors', ...args])).status, 2);
  // Whoever starts it with other numbers is told what to run.
  await refused('manifest-differs', () => serverAt(data, { outboxes: '2' }));
  try {
    await serverAt(data, { outboxes: '2' });
  } catch (error) {
    assert.match((error as OperatorError).next, /countersign actors --data \S+ --outboxes 2/);
  }
  assert.equal(await takeAll(data), [1, 1]);
});

test.run();
