/** When the sequencer closes an epoch: when the last one is on disk, and not before the shortest interval has passed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { address } from '../src/actors/messages.js';
import { SESSION_KIND } from '../src/protocol/index.js';
import { Pipeline } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import * as twin from './twin/index.js';
import { named, type Shape, worldOf } from './worlds.js';

const SHAPE: Shape = { inboxes: 1, outboxes: 1, mailboxes: 2, bundles: [], asked: [], moved: [] };

const INTERVAL_MS = 10;

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
      minIntervalMs: INTERVAL_MS,
      now: () => this.now,
      around: (to, _, step) => {
        if (to.kind === 'router') this.now += this.makingMs;
        step();
      },
    });
    for (const [slot, { id }] of this.world.clients.entries())
      this.pipeline.open(id, SESSION_KIND.front, 9, slot);
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

test('an epoch is closed as soon as the last is on disk, however large and slow that was', () => {
  const paced = new Paced();
  paced.epoch(600, INTERVAL_MS);
  assert.ok(paced.hasClosed);
});

test('it is not closed before the shortest interval has passed', () => {
  const paced = new Paced();
  paced.epoch(1, 1);
  assert.not(paced.hasClosed, 'at once');
  paced.now += INTERVAL_MS - 2;
  paced.pipeline.tell(address('sequencer'), { type: 'work' });
  assert.not(paced.hasClosed, 'a millisecond before');
  paced.now += 1;
  paced.pipeline.fire();
  assert.ok(paced.hasClosed, 'then');
});

test.run();
