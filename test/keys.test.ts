import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { loadOrCreateKeys, readKeyFile, writeKeyFile } from '../src/server/keys.js';
import type { OperatorError } from '../src/server/operator-error.js';

const test = suite('keys');
const fresh = () => mkdtempSync(join(tmpdir(), 'countersign-keys-'));
const SEED = Uint8Array.from({ length: 32 }, (_, i) => i);
const SEED_TEXT = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n';
const mode = (file: string) => statSync(file).mode & 0o777;

function refusal(code: string, names: string, next = '') {
  return (error: OperatorError) => {
    assert.equal(error.code, code);
    assert.ok(error.message.includes(names), error.message);
    assert.ok(error.next.includes(next), error.next);
    return true;
  };
}

test('a key file is 64 hex digits and a newline, for its owner only', async () => {
  const file = join(fresh(), 'a.key');
  await writeKeyFile(file, SEED);
  assert.equal(readFileSync(file, 'latin1'), SEED_TEXT);
  assert.equal(mode(file), 0o600);
  assert.deepEqual(await readKeyFile(file), SEED);
});

test('an existing key is never overwritten, and nothing else is left behind', async () => {
  const directory = fresh();
  const file = join(directory, 'a.key');
  await writeKeyFile(file, SEED);
  await assert.rejects(writeKeyFile(file, new Uint8Array(32)), refusal('key-exists', file));
  assert.deepEqual(await readKeyFile(file), SEED);
  assert.deepEqual(readdirSync(directory), ['a.key']);
});

test('of ten writers of one file exactly one succeeds', async () => {
  const file = join(fresh(), 'a.key');
  const seeds = Array.from({ length: 10 }, (_, i) => new Uint8Array(32).fill(i));
  const results = await Promise.allSettled(seeds.map((seed) => writeKeyFile(file, seed)));
  const winners = seeds.filter((_, i) => results[i]!.status === 'fulfilled');
  assert.deepEqual(winners, [await readKeyFile(file)]);
});

test('a key that others may use is refused with the command that mends it', async () => {
  const file = join(fresh(), 'a.key');
  await writeKeyFile(file, SEED);
  for (const open of [0o640, 0o604, 0o620]) {
    chmodSync(file, open);
    await assert.rejects(readKeyFile(file), refusal('key-not-private', file, `chmod 600 ${file}`));
  }
  chmodSync(file, 0o400);
  assert.deepEqual(await readKeyFile(file), SEED);
});

test('a malformed key is refused by name, without showing it', async () => {
  const file = join(fresh(), 'a.key');
  const bad = ['', SEED_TEXT.trim(), SEED_TEXT.toUpperCase(), `${SEED_TEXT}\n`, ` ${SEED_TEXT.slice(1)}`];
  for (const content of [...bad, SEED_TEXT.replace('00', 'zz'), 'x'.repeat(100_000)]) {
    writeFileSync(file, content, { mode: 0o600 });
    await assert.rejects(readKeyFile(file), (error: OperatorError) => {
      assert.ok(!error.message.includes('0e0f'));
      return refusal('key-malformed', file)(error);
    });
  }
});

test('a key that is not there is refused by name', async () => {
  const file = join(fresh(), 'a.key');
  await assert.rejects(readKeyFile(file), refusal('key-not-found', file, 'keygen'));
});

test('the first start makes one key for the root and one per actor, the next reads the same', async () => {
  const data = join(fresh(), 'deep', 'data');
  const first = await loadOrCreateKeys(data, { inboxes: 2, outboxes: 1 });
  assert.deepEqual(readdirSync(join(data, 'keys')).sort(), [
    'inbox-0.key',
    'inbox-1.key',
    'outbox-0.key',
    'receiver-0.key',
    'root.key',
    'router-0.key',
    'router-1.key',
    'sequencer-0.key',
  ]);
  assert.equal(mode(join(data, 'keys')), 0o700);
  const seeds = [
    first.root,
    ...first.inboxes,
    ...first.routers,
    ...first.receivers,
    ...first.outboxes,
    first.sequencer,
  ];
  assert.equal(new Set(seeds.map((seed) => Buffer.from(seed).toString('hex'))).size, 8);
  assert.deepEqual(await loadOrCreateKeys(data, { inboxes: 2, outboxes: 1 }), first);
});

test('a first start that was cut short is completed, and more actors get keys', async () => {
  const data = fresh();
  const first = await loadOrCreateKeys(data, { inboxes: 1, outboxes: 1 });
  rmSync(join(data, 'keys', 'sequencer-0.key'));
  const next = await loadOrCreateKeys(data, { inboxes: 2, outboxes: 1 });
  assert.deepEqual(
    [next.root, next.inboxes[0], next.outboxes],
    [first.root, first.inboxes[0], first.outboxes],
  );
  assert.equal(next.inboxes.length, 2);
  assert.ok(existsSync(join(data, 'keys', 'sequencer-0.key')));
});

test('a lost root key is never replaced', async () => {
  const data = fresh();
  await loadOrCreateKeys(data, { inboxes: 1, outboxes: 1 });
  const root = join(data, 'keys', 'root.key');
  rmSync(root);
  await assert.rejects(
    loadOrCreateKeys(data, { inboxes: 1, outboxes: 1 }),
    refusal('root-key-missing', root, 'backup'),
  );
  assert.ok(!existsSync(root));
});

test('an open key directory is refused with the command that mends it', async () => {
  const data = fresh();
  const keys = join(data, 'keys');
  mkdirSync(keys);
  chmodSync(keys, 0o755);
  await assert.rejects(
    loadOrCreateKeys(data, { inboxes: 1, outboxes: 1 }),
    refusal('keys-not-private', keys, `chmod 700 ${keys}`),
  );
  assert.deepEqual(readdirSync(keys), []);
});

test.run();
