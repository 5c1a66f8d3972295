/** When the sequencer closes an epoch: at once, unless the last one was large and took long to make. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { address } from '../src/actors/messages.js';
import { Pipeline } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import * as twin from './twin/index.js';
import { named, type Shape, worldOf } from './worlds.js';

const SHAPE: Shape = { inboxes: 1, outboxes: 1, mailboxes: 2, bundles: [], asked: [], moved: [] };

/** A sender, and a clock that moves only while the router works. */
class Paced {
  now = 1000;
  makingMs = 0;
  readonly pipeline: Pipeline;
  private readonly world = worldOf(SHAPE);
  private counter = 1;

  constructor() {
    this.pipeline = new Pipeline(clusterOf(this.world), {
      checkInputs: false,
      now: () => this.now,
      around: (to, _, step) => {
        if (to.kind === 'router') this.now += this.makingMs;
        step();
      },
    });
    this.world.clients.forEach(({ id: mailbox }, slot) => {
      const session = { kind: 1, acknowledged: 0, logSize: 0, seed: named('seed') } as const;
      this.pipeline.tell(address('outbox'), {
        type: 'open-mailbox',
        connection: 9,
        slot,
        mailbox,
        ...session,
      });
    });
  }

  private submit(messages: number): void {
    const [sender, reader] = this.world.clients;
    const blinder = named('blinder').subarray(0, 16);
    const recipients = [{ mailbox: reader!.id, blinder, envelope: Buffer.alloc(0) }];
    const bundle = twin.bundleBytes({ sender: sender!.id, counter: 0n, recipients, body: Buffer.alloc(1) });
    const frame = this.pipeline.frame(sender!.id, this.counter, new Array(messages).fill(bundle));
    this.counter += messages;
    this.pipeline.tell(address('inbox'), { type: 'submit', frames: [frame] });
  }

  /** Commits an epoch of so many messages, which takes so long to make. Then there is work again. */
  epoch(messages: number, makingMs: number): void {
    this.makingMs = makingMs;
    this.submit(messages);
    this.pipeline.close();
    this.makingMs = 0;
    this.pipeline.commit();
    this.pipeline.sent = [];
    this.pipeline.tell(address('sequencer'), { type: 'work' });
  }

  get hasClosed(): boolean {
    return this.pipeline.sentOf('close').length > 0;
  }
}

const test = suite('sequencer');

test('behind a large epoch the next one waits for six times as long as that took to make', () => {
  const paced = new Paced();
  paced.epoch(600, 5);
  assert.not(paced.hasClosed, 'at once');
  paced.now += 24;
  paced.pipeline.tell(address('sequencer'), { type: 'work' });
  assert.not(paced.hasClosed, 'after 29 ms');
  paced.now += 1;
  paced.pipeline.fire();
  assert.ok(paced.hasClosed, 'after 30 ms');
});

test('no epoch waits for more than 40 ms', () => {
  const paced = new Paced();
  paced.epoch(600, 41);
  assert.ok(paced.hasClosed);
});

test('behind a small epoch the next one is closed at once, however long that took to make', () => {
  const paced = new Paced();
  paced.epoch(500, 5);
  assert.ok(paced.hasClosed);
});

test('a small epoch ends the waiting', () => {
  const paced = new Paced();
  paced.epoch(600, 5);
  paced.now += 25;
  paced.pipeline.fire();
  paced.pipeline.commit();
  paced.epoch(1, 0);
  assert.ok(paced.hasClosed);
});

test.run();
