/** Whether a store's file is whole: also where pages at its end were given back before they were written; not where it was cut. */
import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OperatorError } from '../src/server/operator-error.js';
import { Store } from '../src/server/store.js';
import { checkStoreFile } from '../src/server/store-file.js';
import { directory } from './client-helpers.js';
import { Random } from './simulation/random.js';
import { fileOf, lastPage } from './support/store-file.js';
import { SEED } from './worlds.js';

const test = suite('store file');

const KEPT = 50;
const key = (table: number, i: number) => Uint8Array.of(table, i);

/** Of a store in which a transaction took many pages and gave them back. */
async function shortFile(): Promise<string> {
  const data = directory('store-file');
  const store = Store.open(data, () => {});
  // Written again, so that there are free pages, which is when those taken later are given back at once.
  for (let round = 0; round < 6; round++)
    store.transaction((write) => {
      for (let i = 0; i < KEPT; i++) write({ key: key(1, i), value: new Uint8Array(3000).fill(i + round) });
    });
  store.transaction((write) => {
    for (let i = 0; i < 200; i++) write({ key: key(2, i), value: new Uint8Array(13_000) });
    for (let i = 0; i < 200; i++) write({ key: key(2, i), value: null });
  });
  await store.close();
  return data;
}

test('a file is whole that lacks nothing but free pages', async () => {
  const data = await shortFile();
  const file = fileOf(data);
  assert.ok(statSync(file).size < lastPage(file) * 4096);
  checkStoreFile(file);
  const store = Store.openToRead(data);
  for (let i = 0; i < KEPT; i++) assert.equal(store.get(key(1, i)), new Uint8Array(3000).fill(i + 5));
  await store.close();
});

test('a file that lacks a page that is not free is cut', async () => {
  const whole = fileOf(await shortFile());
  const file = join(directory('store-file'), 'data.mdb');
  const pages = statSync(whole).size / 4096;
  copyFileSync(whole, file);
  let refused = 0;
  for (let left = pages; left >= 0; left--) {
    truncateSync(file, left * 4096);
    try {
      checkStoreFile(file);
      // Once a page is missing that is needed, it is so for ever.
      assert.is(refused, 0, `${left} pages`);
    } catch (error) {
      assert.is((error as OperatorError).code, 'data-damaged', `${error}`);
      refused++;
    }
  }
  assert.ok(refused > KEPT, `${refused}`);
  // One more page at the end, which is not free.
  const bytes = readFileSync(whole);
  for (const at of [144, 4096 + 144]) bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) + 1n, at);
  writeFileSync(file, bytes);
  assert.throws(
    () => checkStoreFile(file),
    ({ code }: OperatorError) => code === 'data-damaged',
  );
});

test('whatever is in the heads and in the table of free pages, it is whole, cut or no store', async () => {
  const whole = readFileSync(fileOf(await shortFile()));
  const file = join(directory('store-file'), 'data.mdb');
  const roots = [88, 4096 + 88].map((at) => Number(whole.readBigUInt64LE(at)) * 4096);
  const random = new Random(SEED);
  let cut = 0;
  for (let run = 0; run < 60; run++) {
    const bytes = Uint8Array.from(whole);
    for (let i = random.int(6); i >= 0; i--) {
      const at = random.pick([88, 4096 + 88, ...roots]);
      bytes[at + random.int(at < 8192 ? 64 : 4096)] = random.int(256);
    }
    writeFileSync(file, bytes);
    try {
      checkStoreFile(file);
    } catch (error) {
      assert.is((error as OperatorError).code, 'data-damaged', `${error}`);
      cut++;
    }
  }
  assert.ok(cut > 0);
});

test.run();
