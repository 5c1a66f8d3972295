/** The file store: what was saved is there after any crash, whole or not at all. */
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FileStore } from '../src/client/file-store.js';
import { type Change, MemoryStore, type Saved } from '../src/client/store.js';
import { type CountersignError, toHex } from '../src/protocol/index.js';
import { named } from './worlds.js';

const test = suite('file store');
const directory = mkdtempSync(join(tmpdir(), 'countersign-store-'));
const bytes = (name: string) => Uint8Array.from(named(name));
const mailbox = toHex(bytes('mailbox'));

function chainAt(epoch: number): Change {
  const head = { lastEpoch: epoch, total: epoch * 3, head: bytes(`head ${epoch}`) };
  const place = { epoch, inbox: 1, index: 9 };
  return {
    type: 'chain',
    mailbox,
    chain: { acknowledged: head, verified: head, place, ownCounter: epoch - 1 },
  };
}

const steps: Change[][] = [
  [{ type: 'server', serverId: bytes('server') }],
  [{ type: 'submitted', mailbox, first: 1, bundles: [bytes('a'), bytes('b'), bytes('c')] }],
  [
    chainAt(4),
    {
      type: 'log',
      outbox: 2,
      log: {
        checkpoint: { size: 3, root: bytes('root'), signature: new Uint8Array(64).fill(1) },
        frontier: new Uint8Array(64).fill(2),
      },
    },
    { type: 'receipted', mailbox, through: 1 },
  ],
  [
    { type: 'submitted', mailbox, first: 3, bundles: [bytes('d'), new Uint8Array(300)] },
    { type: 'kept', name: 'vectors state', bytes: bytes('state') },
  ],
  [chainAt(9), { type: 'receipted', mailbox, through: 4 }],
];

/** What a memory store has after so many steps. */
function expected(count: number): Saved {
  const store = new MemoryStore();
  for (const step of steps.slice(0, count)) store.save(step);
  return store.load();
}

async function written(name: string, compactBytes?: number): Promise<{ path: string; lengths: number[] }> {
  const path = join(directory, name);
  const store = new FileStore(path, compactBytes);
  await store.load();
  const lengths = [statSync(path).size];
  for (const step of steps) {
    await store.save(step);
    lengths.push(statSync(path).size);
  }
  await store.close();
  return { path, lengths };
}

async function reopened(path: string): Promise<Saved> {
  const store = new FileStore(path);
  const saved = await store.load();
  await store.close();
  return saved;
}

test('everything saved is there again', async () => {
  const { path } = await written('whole');
  assert.equal(await reopened(path), expected(steps.length));
});

test('a file cut short at any byte gives the last whole batch, and can be written on', async () => {
  const { path, lengths } = await written('cut');
  const whole = readFileSync(path);
  const torn = join(directory, 'torn');
  for (let length = lengths[0]!; length <= whole.length; length += 7) {
    writeFileSync(torn, whole.subarray(0, length));
    const steps = lengths.filter((each) => each <= length).length - 1;
    const store = new FileStore(torn);
    assert.equal(await store.load(), expected(steps));
    await store.save([{ type: 'server', serverId: bytes('another') }]);
    await store.close();
    assert.equal((await reopened(torn)).serverId, bytes('another'));
  }
});

test('a disk that takes a part at a time gets all of it', async () => {
  const path = join(directory, 'by parts');
  const store = new FileStore(path);
  await store.load();
  const { handle } = store as unknown as { handle: FileHandle };
  const write = handle.write.bind(handle) as (...args: [Uint8Array, number, number, number]) => unknown;
  Object.assign(handle, {
    write: (from: Uint8Array, offset: number, length: number, at: number) =>
      write(from, offset, Math.min(length, 7), at),
  });
  for (const step of steps) await store.save(step);
  await store.close();
  assert.equal(await reopened(path), expected(steps.length));
});

test('a torn last batch is dropped, a bad one before others is store-corrupt', async () => {
  const { path, lengths } = await written('bad');
  const whole = readFileSync(path);
  const broken = join(directory, 'broken');
  const flip = (at: number) => {
    const copy = Uint8Array.from(whole);
    copy[at]! ^= 1;
    writeFileSync(broken, copy);
  };
  flip(whole.length - 1);
  assert.equal(await reopened(broken), expected(steps.length - 1));
  for (const at of [0, lengths[1]! + 5, lengths[2]! - 1]) {
    flip(at);
    const error = await reopened(broken).catch((error: CountersignError) => error);
    assert.is((error as CountersignError).code, 'store-corrupt');
  }
});

test('the file is rewritten when most of it is past, and says the same', async () => {
  const path = join(directory, 'compact');
  const store = new FileStore(path, 2000);
  await store.load();
  for (let epoch = 1; epoch <= 400; epoch++) await store.save([chainAt(epoch)]);
  await store.close();
  assert.ok(statSync(path).size < 5000, `${statSync(path).size}`);
  const saved = await reopened(path);
  assert.is(saved.mailboxes.get(mailbox)!.chain!.verified.lastEpoch, 400);
  assert.equal((await written('compact all', 1)).lengths.length, steps.length + 1);
  assert.equal(await reopened(join(directory, 'compact all')), expected(steps.length));
});

test('one client at a time has the file: another is refused with a code, and may have it afterwards', async () => {
  const path = join(directory, 'locked');
  const first = new FileStore(path);
  await first.load();
  await first.save(steps[0]!);
  const error = await reopened(path).catch((error: CountersignError) => error);
  assert.is((error as CountersignError).code, 'store-locked');
  assert.is((error as CountersignError).temporary, true);
  await first.save(steps[1]!);
  await first.close();
  assert.equal(await reopened(path), expected(2));
});

test.run();
