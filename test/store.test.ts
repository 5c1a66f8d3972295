/** The store: what ranges hold, and that writes are whole. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { numberKey, TABLE } from '../src/actors/store-keys.js';
import { Store } from '../src/server/store.js';
import { directory } from './client-helpers.js';

const test = suite('store');
const key = (number: number) => numberKey(TABLE.log, number);
const value = Uint8Array.of(1);

test('the last entry of a range counts its first key and not its end', async () => {
  const store = Store.open(directory('store'), () => assert.unreachable());
  const lastOf = (from: number, to: number) => store.last(key(from), key(to))?.key.at(-1);
  assert.is(lastOf(0, 9), undefined);
  const write = (numbers: number[]) =>
    new Promise<void>((done) =>
      store.write(
        numbers.map((number) => ({ key: key(number), value })),
        done,
      ),
    );
  await write([0]);
  assert.is(lastOf(0, 9), 0);
  await write([3, 5]);
  assert.is(lastOf(0, 9), 5);
  assert.is(lastOf(0, 5), 3);
  assert.is(lastOf(3, 5), 3);
  assert.is(lastOf(4, 5), undefined);
  assert.equal(
    [...store.range(key(0), key(5))].map((entry) => entry.key.at(-1)),
    [0, 3],
  );
  await store.close();
});

test.run();
