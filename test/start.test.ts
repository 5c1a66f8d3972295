/** Starting a server: what it keeps, and what it refuses to start on. */
import { cpSync, mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { metaKey, numberKey, numberValue, TABLE } from '../src/actors/store-keys.js';
import { getU64, toHex } from '../src/protocol/index.js';
import { OperatorError, type Server } from '../src/server/index.js';
import { Store } from '../src/server/store.js';
import { clientOf, directory, read, serverAt } from './client-helpers.js';
import { fileOf, lastPage } from './support/store-file.js';

async function refusal(start: Promise<Server>): Promise<OperatorError> {
  try {
    await (await start).stop();
  } catch (error) {
    if (error instanceof OperatorError) return error;
    throw error;
  }
  throw new Error('it started');
}

/** The data of a server that has one message in it and was stopped: a copy, because to make it takes a second. */
function usedData(): string {
  const data = directory('start');
  for (const part of ['store', 'keys']) cpSync(join(original, part), join(data, part), { recursive: true });
  return data;
}

/** Runs a server, sends a message and stops it. */
async function use(data: string): Promise<string> {
  const server = await serverAt(data);
  const client = await clientOf(server, 'ann');
  await client.send({ to: client.id, body: 'kept' });
  await client.close();
  await server.stop();
  return server.serverId;
}

const original = directory('start');
const serverId = await use(original);

test('a restart is the same server, with the mail that nobody has acknowledged', async () => {
  const data = usedData();
  const server = await serverAt(data, { threads: '2', checks: 'everywhere' });
  assert.is(server.serverId, serverId);
  const client = await clientOf(server, 'ann');
  assert.equal(await read(client, 1), ['kept']);
  await client.close();
  await server.stop();
});

test('numbers of actors and limits are the manifest\u2019s: asking for others is refused, by name', async () => {
  const data = usedData();
  for (const flags of [{ inboxes: '2' }, { outboxes: '3' }, { 'limits-body-bytes': '1000' }]) {
    const error = await refusal(serverAt(data, flags));
    assert.is(error.code, 'manifest-differs');
  }
  await (await serverAt(data, { inboxes: '1' })).stop();
});

test('a key that is not the one in the manifest is refused, by file', async () => {
  const data = usedData();
  writeFileSync(join(data, 'keys', 'outbox-0.key'), `${'07'.repeat(32)}\n`, { mode: 0o600 });
  const error = await refusal(serverAt(data));
  assert.is(error.code, 'keys-differ');
  assert.match(error.message, 'outbox-0.key');
});

test('a lost key is refused and not made anew in silence', async () => {
  const data = usedData();
  rmSync(join(data, 'keys', 'inbox-0.key'));
  assert.is((await refusal(serverAt(data))).code, 'keys-differ');
});

test('a store that another version wrote in another way is refused, and left alone', async () => {
  const data = usedData();
  const key = metaKey('format');
  for (const value of [numberValue(99), null]) {
    await tamper(data, () => [{ key, value }]);
    assert.is((await refusal(serverAt(data))).code, 'data-format');
  }
  await tamper(data, () => [{ key, value: numberValue(3) }]);
  await use(data);
});

test('a log whose newest epoch has lost its attestations is refused as damaged', async () => {
  const data = usedData();
  await tamper(data, (store) => {
    const newest = store.last(numberKey(TABLE.attestations, 0), numberKey(TABLE.attestations, 2 ** 50))!;
    return [{ key: Uint8Array.from(newest.key), value: null }];
  });
  assert.is((await refusal(serverAt(data))).code, 'data-damaged');
});

test('anything above the last log leaf is refused as damaged, and left alone', async () => {
  const data = usedData();
  const surplus = numberKey(TABLE.attestations, 999_999);
  await tamper(data, () => [{ key: surplus, value: Uint8Array.of(1) }]);
  assert.is((await refusal(serverAt(data))).code, 'data-damaged');
  const store = Store.open(data, assert.unreachable);
  assert.equal([...store.get(surplus)!], [1]);
  await store.close();
});

test('a store that was cut is refused as damaged, and left alone', async () => {
  const data = usedData();
  // Pages in use lie in both halves of it.
  const { size } = statSync(fileOf(data));
  for (const left of [size / 2, size / 5, 8192, 4096, 1].map(Math.floor)) {
    truncateSync(fileOf(data), left);
    const error = await refusal(serverAt(data));
    assert.is(error.code, 'data-damaged', `${left} of ${size} bytes: ${error}`);
    assert.is(statSync(fileOf(data)).size, left);
  }
});

test('a store that lacks nothing but free pages at its end is started on', async () => {
  const data = usedData();
  const store = Store.open(data, assert.unreachable);
  const key = metaKey('given back');
  store.transaction((write) => {
    for (let i = 0; i < 200; i++) write({ key: Uint8Array.of(...key, i), value: new Uint8Array(13_000) });
    for (let i = 0; i < 200; i++) write({ key: Uint8Array.of(...key, i), value: null });
  });
  await store.close();
  assert.ok(statSync(fileOf(data)).size < lastPage(fileOf(data)) * 4096);
  await use(data);
});

test('a first start that was killed while it made its store is made good by the next', async () => {
  const data = directory('start');
  mkdirSync(join(data, 'store'));
  writeFileSync(fileOf(data), '');
  await use(data);
  const written = directory('start');
  await Store.open(written, assert.unreachable).close();
  assert.is(statSync(fileOf(written)).size, 8192);
  await use(written);
});

test('a log of a single epoch is found again', async () => {
  const data = directory('start');
  const server = await serverAt(data, { 'epoch-heartbeat-ms': '60000' });
  const client = await clientOf(server, 'ann');
  await client.send({ to: client.id, body: 'kept' });
  const { root } = client.checkpoint;
  assert.is(client.checkpoint.size, 1);
  await client.close();
  await server.stop();
  const again = await serverAt(data, { 'epoch-heartbeat-ms': '60000' });
  assert.is(again.checkpoint().size, 1);
  assert.equal(again.checkpoint().root, root);
  await again.stop();
});

test('after a crash numbering goes on above everything that was reserved', async () => {
  const data = usedData();
  const reserved = await reservedEpoch(data);
  const server = await serverAt(data);
  const client = await clientOf(server, 'bob');
  const { place } = await client.send({ to: client.id, body: 'x' });
  assert.ok(place.epoch > reserved, `epoch ${place.epoch}, reserved ${reserved}`);
  assert.is(toHex(client.serverId), server.serverId);
  await client.close();
  await server.stop();
  assert.ok((await reservedEpoch(data)) >= place.epoch);
});

test('a taken port is refused, and nothing stays locked', async () => {
  const data = directory('start');
  const first = await serverAt(directory('start'));
  const port = new URL(first.url).port;
  assert.is((await refusal(serverAt(data, { port }))).code, 'address-in-use');
  await first.stop();
  await (await serverAt(data, { port })).stop();
});

async function tamper(
  data: string,
  change: (store: Store) => { key: Uint8Array; value: Uint8Array | null }[],
): Promise<void> {
  const store = Store.open(data, assert.unreachable);
  const records = change(store);
  await new Promise<void>((done) => store.write(records, done));
  await store.close();
}

async function reservedEpoch(data: string): Promise<number> {
  const store = Store.open(data, assert.unreachable);
  const value = getU64(store.get(Buffer.from('mreserved epoch', 'latin1'))!, 0);
  await store.close();
  return value;
}

test.run();
