/** What the fast and the long kill test have in common. */
import * as assert from 'uvu/assert';
import { Chat } from './chat.js';
import { CRASH_POINTS, type CrashPoint } from './crashing-worker.js';
import { randomFrom } from './names.js';

/** The seed of this run: SEED in the environment, else the clock's. */
export function seedOfRun(): number {
  const seed = Number(process.env['SEED'] ?? Date.now() % 0x7fffffff);
  console.log(`SEED=${seed}`);
  return seed;
}

export function clean(problems: readonly string[], where: string): void {
  assert.equal(problems.slice(0, 12), [], `${where}: ${problems.length} problems`);
}

/** Runs rounds over a new server and ends it in order; leaves nothing running. */
export async function during(
  flags: Readonly<Record<string, string>>,
  seed: number,
  run: (chat: Chat) => Promise<void>,
  outside: readonly string[] = ['dora', 'emil'],
): Promise<Chat> {
  const began = performance.now();
  const names = { inside: ['anna', 'ben', 'cleo'], outside };
  const chat = await Chat.open({ ...names, flags, random: randomFrom(seed), claimEvery: 20 });
  try {
    await run(chat);
    clean(await chat.end(), 'the end');
    const { kills, messages, deliveries, claims, statements } = chat;
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(`${seconds} s: ${kills} kills, ${messages} messages, ${deliveries} deliveries`);
    console.log(`${claims} claims verified, ${statements} signed statements`);
    return chat;
  } finally {
    await chat.destroy();
  }
}

/** With one server of one thread: it dies at each of these points. */
export async function atEach(points: readonly CrashPoint[], seed: number): Promise<void> {
  const flags = { inboxes: '1', outboxes: '1', threads: '1' };
  const eachPoint = async (chat: Chat) => {
    for (const point of points)
      clean(await atPoint(chat, point, 1 + (CRASH_POINTS.indexOf(point) % 5)), point);
  };
  // No client dies here, so none needs a process of its own.
  const { kills } = await during(flags, seed, eachPoint, []);
  assert.ok(kills >= points.length);
}

let late = 0;

/** One round that dies at a named point. */
export function atPoint(chat: Chat, point: CrashPoint, after: number): Promise<string[]> {
  if (/^reserv/.test(point)) return chat.crashStarting(point);
  if (/^mailbox/.test(point)) return chat.crashJoining(point, `late ${++late}`);
  return chat.crashAt(point, after);
}
