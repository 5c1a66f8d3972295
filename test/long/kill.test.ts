/** The kill test for hours: ROUNDS in the environment says how many rounds, 200 if not given. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from '../client-helpers.js';
import { clientAt, serving } from '../support/attacked.js';
import { LogAudit, Signed } from '../support/audit.js';
import type { Chat } from '../support/chat.js';
import { CRASH_POINTS } from '../support/crashing-worker.js';
import { atEach, atPoint, clean, during, seedOfRun } from '../support/kill-rounds.js';
import { randomFrom } from '../support/names.js';
import { ServerProcess } from '../support/server-process.js';

const test = suite('kill -9, many times');
const SEED = seedOfRun();
const ROUNDS = Number(process.env['ROUNDS'] ?? 200);
/** Every other server keeps so little that mailboxes are full and old epochs are swept all the time. */
const LITTLE = { 'limits-unacknowledged-epochs': '8', 'limits-retention-epochs': '2000' };
/** With one server; then a new one, of another shape. */
const ROUNDS_EACH = 25;
const SHAPES = ['1 1 1', '2 2 2', '1 2 2', '3 2 2', '2 1 1'];

async function round(chat: Chat, random: () => number): Promise<void> {
  const dice = random();
  const restarted = ['dora', 'emil'].filter(() => random() < 0.5);
  if (dice < 0.45) return clean(await chat.kill(restarted), `killed with ${restarted}`);
  if (dice < 0.55) return clean(await chat.comeBack('emil'), 'after an orderly close');
  if (dice < 0.65) return clean(await chat.restart(), 'after a restart in order');
  const point = CRASH_POINTS[Math.floor(random() * CRASH_POINTS.length)]!;
  clean(await atPoint(chat, point, 1 + Math.floor(random() * 90)), point);
}

test('after every single one of the first epochs', async () => {
  const data = directory('first-epochs');
  const log = new LogAudit(new Signed());
  const server = await ServerProcess.at(data, { 'epoch-heartbeat-ms': '60000' });
  await serving(server, async () => {
    const anna = await clientAt(server.url, 'anna');
    for (let epochs = 1; epochs <= 4; epochs++) {
      const { counter, checkpointSize } = await anna.send({ to: anna.id, body: 'x' });
      assert.equal([counter, checkpointSize], [epochs, epochs]);
      await server.kill();
      await log.look(data);
      assert.equal([log.size, ...log.problems], [epochs]);
      assert.is(await server.start(), null);
    }
    const counters: number[] = [];
    for await (const { counter } of anna.mailbox()) if (counters.push(counter) === 4) break;
    assert.equal(counters, [1, 2, 3, 4]);
    await anna.close();
  });
});

test('at every point of the commit path', () => atEach(CRASH_POINTS, SEED));

test('at any moment, on two threads, clients too, with full mailboxes and old epochs to sweep', async () => {
  const flags = { inboxes: '2', outboxes: '2', threads: '2', ...LITTLE };
  await during(flags, SEED + 1, async (chat) => {
    clean(await chat.kill(['emil', 'dora']), 'with emil and dora');
    clean(await chat.crashAt('durable', 3), 'durable');
    clean(await chat.restart(), 'after a restart in order');
    clean(await chat.comeBack('dora'), 'after an orderly close');
  });
});

for (let first = 0; first < ROUNDS; first += ROUNDS_EACH) {
  const shape = SHAPES[(first / ROUNDS_EACH) % SHAPES.length]!;
  test(`from round ${first}: ${shape}`, async () => {
    const [inboxes, outboxes, threads] = shape.split(' ') as [string, string, string];
    const random = randomFrom(SEED + first);
    const little = (first / ROUNDS_EACH) % 2 === 1 ? LITTLE : {};
    await during({ inboxes, outboxes, threads, ...little }, SEED + first + 1, async (chat) => {
      for (let i = first; i < Math.min(ROUNDS, first + ROUNDS_EACH); i++) await round(chat, random);
    });
  });
}

test.run();
