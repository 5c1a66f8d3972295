import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { lockDataDirectory } from '../src/server/data-lock.js';
import type { OperatorError } from '../src/server/operator-error.js';

const test = suite('data-lock');
const fresh = () => mkdtempSync(join(tmpdir(), 'countersign-lock-'));
const MODULE = new URL('../src/server/data-lock.js', import.meta.url).href;
/** Says `ready`, waits for a line, then says `held` or the refusal; a holder stays until it is killed. */
const STARTER = `
  import { lockDataDirectory } from ${JSON.stringify(MODULE)};
  console.log('ready');
  await new Promise((go) => process.stdin.once('data', go));
  await lockDataDirectory(process.argv[1]).then(() => console.log('held'), (error) => {
    console.log(error.code + ': ' + error.message);
    process.exit(0);
  });
`;

interface Starter {
  readonly process: ChildProcess;
  line(): Promise<string>;
  start(): Promise<string>;
}

async function starter(directory: string): Promise<Starter> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', STARTER, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const line = async () => String((await once(child.stdout!, 'data'))[0]).trim();
  assert.equal(await line(), 'ready');
  const start = () => {
    child.stdin!.write('go\n');
    return line();
  };
  return { process: child, line, start };
}

async function kill({ process: child }: Starter, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

function lockedBy(directory: string, pid: string | number) {
  return (error: OperatorError) => {
    assert.equal(error.code, 'data-locked');
    assert.equal(error.message, `${directory} is in use by ${pid}`);
    return true;
  };
}

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

test('a holder that is stopped still holds', async () => {
  const directory = fresh();
  const holder = await starter(directory);
  assert.equal(await holder.start(), 'held');
  holder.process.kill('SIGSTOP');
  await assert.rejects(lockDataDirectory(directory), lockedBy(directory, 'another process'));
  await kill(holder);
  await (await lockDataDirectory(directory)).release();
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
