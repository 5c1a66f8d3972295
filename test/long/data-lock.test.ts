/** Many processes that want one data directory. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { lockDataDirectory } from '../../src/server/data-lock.js';
import { fresh, kill, lockedBy, starter } from '../support/data-lock.js';

const test = suite('data-lock');

test('after kill -9 of the holder the next takes over at once, three times over', async () => {
  const directory = fresh();
  for (let round = 0; round < 3; round++) {
    const holder = await starter(directory);
    assert.equal(await holder.start(), 'held');
    await assert.rejects(lockDataDirectory(directory), lockedBy(directory, `process ${holder.process.pid}`));
    await kill(holder);
    const begun = performance.now();
    await (await lockDataDirectory(directory)).release();
    assert.ok(performance.now() - begun < 500);
  }
});

test('of six racing processes exactly one wins, also over a dead lock', async () => {
  const directory = fresh();
  for (let round = 0; round < 2; round++) {
    const starters = await Promise.all(Array.from({ length: 6 }, () => starter(directory)));
    const answers = await Promise.all(starters.map((each) => each.start()));
    assert.equal(answers.filter((answer) => answer === 'held').length, 1, answers.join('\n'));
    assert.equal(
      answers.filter((answer) => answer.startsWith('data-locked: ')).length,
      5,
      answers.join('\n'),
    );
    await Promise.all(starters.map((each) => kill(each)));
  }
});

test('while eight starters take and release the lock without a pause, no two ever hold it', async () => {
  const directory = fresh();
  let holders = 0;
  let taken = 0;
  const contend = async () => {
    while (taken < 300) {
      const lock = await lockDataDirectory(directory).catch((error) =>
        assert.equal(error.code, 'data-locked'),
      );
      if (lock === undefined) continue;
      assert.equal(++holders, 1);
      taken++;
      await new Promise(setImmediate);
      holders--;
      await lock.release();
    }
  };
  await Promise.all(Array.from({ length: 8 }, contend));
  await (await lockDataDirectory(directory)).release();
  assert.ok(readdirSync(join(directory, 'lock')).length <= 2);
});

test.run();
