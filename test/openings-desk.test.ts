/** Who may have how much opened: keys share a minute's steps, and the operator is not locked out by them. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Answer, OpeningsDesk } from '../src/actors/openings-desk.js';
import { Placements } from '../src/actors/placements.js';
import { ERRORS, ROLE, SESSION_KIND } from '../src/protocol/index.js';
import { Pipeline } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import { type Shape, worldOf } from './worlds.js';

const test = suite('openings: who may have how much');
const SHAPE: Shape = { inboxes: 1, outboxes: 1, mailboxes: 2, bundles: [], asked: [], moved: [] };

test('steps of a minute are bounded for keys, whatever waits; the operator goes first and on', () => {
  const world = worldOf(SHAPE);
  const cluster = clusterOf(world);
  const pipeline = new Pipeline(cluster, { checkInputs: true });
  for (const [slot, { id }] of world.clients.entries()) pipeline.open(id, SESSION_KIND.outbox, 1, slot);
  pipeline.close();
  pipeline.commit();
  const [committed] = pipeline.takeGateway('committed');
  const { epoch, checkpoint } = committed!;
  const steps: (() => void)[] = [];
  let now = 0;
  const desk = new OpeningsDesk({
    reader: pipeline.store,
    placements: new Placements(cluster.serverId, [{ from: 1, manifest: cluster.manifest }]),
    ...{ checkpoint: () => checkpoint, now: () => now, perMinute: () => 1 << 20 },
    defer: (run) => steps.push(run),
  });
  const answers: { who: number; answer: Answer }[] = [];
  const asked = { stage: ROLE.outbox, epoch, inbox: 0, index: 0, mailbox: world.clients[0]!.id };
  const ask = (who: number) =>
    desk.ask({
      asked,
      key: who < 0 ? null : world.clients[0]!.id,
      isWanted: () => true,
      answer: (answer) => answers.push({ who, answer }),
    });
  const work = () => {
    for (let step = steps.shift(); step; step = steps.shift()) step();
  };
  // Wave after wave, as a crowd asks: in the end all are answered, and most are told to come again.
  for (let wave = 0; wave < 20; wave++) {
    for (let i = 0; i < 1000; i++) ask(i);
    work();
  }
  const opened = answers.filter(({ answer }) => answer.error === 0).length;
  const busy = answers.filter(({ answer }) => answer.error === ERRORS.busy.number);
  assert.is(answers.length, 20_000);
  assert.ok(opened > 0 && opened <= 6000, `${opened} opened`);
  assert.is(opened + busy.length, 20_000);
  assert.ok(busy.every(({ answer }) => answer.retryAfterMs === 60_000));
  answers.length = 0;
  ask(-1);
  work();
  assert.equal(
    answers.map(({ answer }) => answer.error),
    [0],
  );
  // Another minute.
  now = 60_000;
  ask(7);
  work();
  assert.equal(
    answers.map(({ answer }) => answer.error),
    [0, 0],
  );
});

test.run();
