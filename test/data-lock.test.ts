/** Says `ready`, waits for a line, then says `held` or the refusal; a holder stays until it is killed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { Server } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import { lockDataDirectory } from '../src/server/data-lock.js';
import { fresh, kill, lockedBy, MODULE, starter } from './support/data-lock.js';

const test = suite('data-lock');

test('a second lock on one directory is refused with the directory and the pid of the holder', async () => {
  const directory = fresh();
  const lock = await lockDataDirectory(directory);
  await assert.rejects(lockDataDirectory(directory), lockedBy(directory, `process ${process.pid}`));
  const other = await starter(directory);
  assert.equal(await other.start(), `data-locked: ${directory} is in use by process ${process.pid}`);
  await lock.release();
});

test('a released lock can be taken again, by this process and by others', async () => {
  const directory = fresh();
  for (let round = 0; round < 5; round++) {
    const lock = await lockDataDirectory(directory);
    await lock.release();
    await lock.release();
  }
  const other = await starter(directory);
  assert.equal(await other.start(), 'held');
  await kill(other);
  assert.ok(readdirSync(join(directory, 'lock')).length <= 2);
});

test('a holder that is stopped still holds', async () => {
  const directory = fresh();
  const holder = await starter(directory);
  assert.equal(await holder.start(), 'held');
  holder.process.kill('SIGSTOP');
  await assert.rejects(lockDataDirectory(directory), lockedBy(directory, 'another process'));
  await kill(holder);
  await (await lockDataDirectory(directory)).release();
});

test('a starter that slept while others came and went does not win with an old generation', async () => {
  const directory = fresh();
  await (await lockDataDirectory(directory)).release();
  const wake = delayNextListen();
  const sleeper = lockDataDirectory(directory); // Will have seen generation 1 dead and want 2.
  const wakeUp = await wake;
  for (let round = 0; round < 2; round++) await (await lockDataDirectory(directory)).release();
  const lock = await lockDataDirectory(directory); // Generation 4; 2 has been swept and is free.
  wakeUp();
  await assert.rejects(sleeper, lockedBy(directory, `process ${process.pid}`));
  await lock.release();
});

/** Holds the next server back just before it binds; resolves then with what lets it go on. */
function delayNextListen(): Promise<() => void> {
  const original = Server.prototype.listen;
  return new Promise((resolve) => {
    Server.prototype.listen = function (this: Server, ...args: unknown[]) {
      Server.prototype.listen = original;
      resolve(() => Reflect.apply(original, this, args));
      return this;
    } as typeof original;
  });
}

if (process.platform === 'linux') {
  test('a path that is too long for a socket works as well', async () => {
    const directory = join(fresh(), 'x'.repeat(200), 'y'.repeat(200));
    mkdirSync(directory, { recursive: true });
    const holder = await starter(directory);
    assert.equal(await holder.start(), 'held');
    await assert.rejects(lockDataDirectory(directory), lockedBy(directory, `process ${holder.process.pid}`));
    await kill(holder);
    await (await lockDataDirectory(directory)).release();
  });
}

test('the lock does not keep its process alive', async () => {
  const code = `import { lockDataDirectory } from ${JSON.stringify(MODULE)}; await lockDataDirectory(process.argv[1]);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, fresh()], { stdio: 'inherit' });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test.run();
