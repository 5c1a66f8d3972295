/** The server's process is killed, at every point of the commit path and at any moment; nothing is lost. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chat } from './support/chat.js';
import { CRASH_POINTS } from './support/crashing-worker.js';
import { randomFrom } from './support/names.js';

const test = suite('kill -9');
const SEED = Number(process.env['SEED'] ?? Date.now() % 0x7fffffff);
console.log(`SEED=${SEED}`);

const clean = (problems: readonly string[], where: string) =>
  assert.equal(problems.slice(0, 12), [], `${where}: ${problems.length} problems`);

const began = performance.now();

function report(chat: Chat): void {
  const { kills, messages, deliveries, claims, statements } = chat;
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(
    `${seconds} s: ${kills} kills, ${messages} messages, ${deliveries} deliveries, ${claims} claims, ${statements} statements`,
  );
}

test('at every point of the commit path', async () => {
  const random = randomFrom(SEED);
  const names = { inside: ['anna', 'ben', 'cleo'], outside: ['dora', 'emil'] };
  const flags = { inboxes: '1', outboxes: '1', threads: '1' };
  const chat = await Chat.open({ ...names, flags, random, claimEvery: 20 });
  for (const point of CRASH_POINTS) {
    const run = /^reserv/.test(point)
      ? chat.crashStarting(point)
      : /^mailbox/.test(point)
        ? chat.crashJoining(point, `late ${point}`)
        : chat.crashAt(point, 1 + Math.floor(random() * 8));
    clean(await run, point);
  }
  clean(await chat.end(), 'the end');
  report(chat);
  assert.ok(chat.kills >= CRASH_POINTS.length);
});

test('at any moment, on two threads, clients too', async () => {
  const random = randomFrom(SEED + 1);
  const names = { inside: ['anna', 'ben', 'cleo'], outside: ['dora', 'emil'] };
  const flags = { inboxes: '2', outboxes: '2', threads: '2' };
  const chat = await Chat.open({ ...names, flags, random, claimEvery: 20 });
  for (const restarted of [[], ['dora'], ['emil', 'dora'], [], ['emil']])
    clean(await chat.kill(restarted), `with ${restarted}`);
  for (const point of ['attested', 'epoch-during', 'durable'] as const)
    clean(await chat.crashAt(point, 3), point);
  clean(await chat.comeBack('dora'), 'after an orderly close');
  clean(await chat.end(), 'the end');
  report(chat);
});

test.run();
