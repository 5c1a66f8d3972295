/** What an inbox takes, and what it answers to everything else. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Inbox } from '../src/actors/inbox.js';
import { address, type PlacedRun, type Refusal, type SubmittedFrame } from '../src/actors/messages.js';
import { SESSION_KIND } from '../src/protocol/index.js';
import { Pipeline } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import * as twin from './twin/index.js';
import { named, type Shape, worldOf } from './worlds.js';

const SHAPE: Shape = { inboxes: 1, outboxes: 1, mailboxes: 2, bundles: [], asked: [], moved: [] };
const KEPT = 8;

/** One inbox with its neighbours, and a sender whose bundles are told apart by a number. */
class OneInbox {
  readonly pipeline: Pipeline;
  private readonly world = worldOf(SHAPE);

  constructor(flushEpochs = 16) {
    const cluster = clusterOf(this.world);
    const policy = { ...cluster.manifest.policy, countersKept: KEPT };
    const manifest = { ...cluster.manifest, policy };
    this.pipeline = new Pipeline({ ...cluster, manifest }, { checkInputs: true, flushEpochs });
    this.openMailboxes();
  }

  private openMailboxes(): void {
    for (const [slot, { id }] of this.world.clients.entries())
      this.pipeline.open(id, SESSION_KIND.outbox, 9, slot);
    this.pipeline.gateway.length = 0;
  }

  bundle(body: number, envelope = ''): Buffer {
    const recipient = {
      mailbox: this.world.clients[1]!.id,
      blinder: named('blinder').subarray(0, 16),
      envelope: twin.ascii(envelope),
    };
    return twin.bundleBytes({
      sender: this.world.clients[0]!.id,
      counter: 0n,
      recipients: [recipient],
      body: twin.u32(body),
    });
  }

  /** Submits consecutive counters from the first; returns what came back at once. */
  submit(
    firstCounter: number,
    bundles: Buffer[],
    connection = 1,
  ): { placed: PlacedRun[]; refused: Refusal[] } {
    this.take(this.frame(firstCounter, bundles, connection));
    return this.answers();
  }

  frame(firstCounter: number, bundles: Buffer[], connection = 1): SubmittedFrame {
    return this.pipeline.frame(this.world.clients[0]!.id, firstCounter, bundles, connection, 7);
  }

  take(frame: SubmittedFrame): void {
    this.pipeline.tell(address('inbox'), { type: 'submit', frames: [frame] });
  }

  answers(): { placed: PlacedRun[]; refused: Refusal[] } {
    return {
      placed: this.pipeline.takeGateway('placed').flatMap(({ runs }) => runs),
      refused: this.pipeline.takeGateway('refused').flatMap(({ refusals }) => refusals),
    };
  }

  /** One epoch; returns the places told. */
  epoch(): PlacedRun[] {
    this.pipeline.close();
    this.pipeline.commit();
    return this.answers().placed;
  }

  last(): number {
    const sender = this.world.clients[0]!.id;
    this.pipeline.tell(address('inbox'), { type: 'open-sender', connection: 1, slot: 7, sender });
    return this.pipeline.takeGateway('sender-opened')[0]!.lastCounter;
  }
}

const placesOf = (runs: PlacedRun[]) =>
  runs.flatMap(({ epoch, inbox, firstCounter, firstIndex, count }) =>
    Array.from({ length: count }, (_, k) => `${firstCounter + k} at ${epoch}.${inbox}.${firstIndex + k}`),
  );
const codesOf = (refusals: Refusal[]) =>
  refusals.map(({ code, firstCounter, count, expected }) => `${code} ${firstCounter}+${count} (${expected})`);

const inbox = suite('inbox');

inbox('a run of counters is placed in order, as one run, once the epoch is committed', () => {
  const one = new OneInbox();
  assert.equal(one.submit(1, [one.bundle(1), one.bundle(2)]), { placed: [], refused: [] });
  assert.equal(one.submit(3, [one.bundle(3)]), { placed: [], refused: [] });
  const runs = one.epoch();
  assert.equal(placesOf(runs), ['1 at 1.0.0', '2 at 1.0.1', '3 at 1.0.2']);
  assert.equal(one.last(), 3);
});

inbox('a duplicate of what is queued, or is committing, gets no second place', () => {
  const one = new OneInbox();
  one.submit(1, [one.bundle(1)]);
  assert.equal(one.submit(1, [one.bundle(1)]), { placed: [], refused: [] });
  one.pipeline.close();
  assert.equal(one.submit(1, [one.bundle(1), one.bundle(2)]), { placed: [], refused: [] });
  assert.equal(codesOf(one.submit(1, [one.bundle(9)]).refused), ['counter-conflict 1+1 (0)'], 'committing');
  assert.equal(codesOf(one.submit(2, [one.bundle(9)]).refused), ['counter-conflict 2+1 (0)'], 'queued');
  one.pipeline.commit();
  assert.equal(placesOf(one.answers().placed), ['1 at 1.0.0']);
  assert.equal(placesOf(one.epoch()), ['2 at 2.0.0']);
});

inbox(
  'a duplicate of what is committed is answered with its place, over several epochs and a restart',
  () => {
    for (const flushEpochs of [1, 2, 1000]) {
      const one = new OneInbox(flushEpochs);
      for (const first of [1, 3, 5]) {
        one.submit(first, [one.bundle(first), one.bundle(first + 1)]);
        one.epoch();
      }
      const all = [1, 2, 3, 4, 5, 6].map((n) => one.bundle(n));
      const places = ['1 at 1.0.0', '2 at 1.0.1', '3 at 2.0.0', '4 at 2.0.1', '5 at 3.0.0', '6 at 3.0.1'];
      assert.equal(placesOf(one.submit(1, all).placed), places);
      // Also while newer ones are committing and queued.
      one.submit(7, [one.bundle(7)]);
      one.pipeline.close();
      one.submit(8, [one.bundle(8)]);
      assert.equal(placesOf(one.submit(1, all).placed), places);
      assert.equal(codesOf(one.submit(3, [one.bundle(9)]).refused), ['counter-conflict 3+1 (0)']);
      one.pipeline.commit();
      one.epoch();
      one.pipeline.restart();
      const last = ['7 at 4.0.0', '8 at 5.0.0'];
      const again = one.submit(3, [...all.slice(2), one.bundle(7), one.bundle(8)]);
      assert.equal(placesOf(again.placed), [...places.slice(2), ...last]);
      assert.equal(again.refused, []);
      assert.is(one.last(), 8);
    }
  },
);

inbox('a counter older than what is kept is expired', () => {
  const one = new OneInbox();
  const bundles = Array.from({ length: KEPT + 2 }, (_, i) => one.bundle(i + 1));
  one.submit(1, bundles);
  one.epoch();
  const { placed, refused } = one.submit(1, bundles);
  assert.equal(codesOf(refused), ['counter-expired 1+1 (0)', 'counter-expired 2+1 (0)']);
  assert.is(placesOf(placed).length, KEPT);
});

inbox('a gap takes nothing, and says what is expected', () => {
  const one = new OneInbox();
  assert.equal(codesOf(one.submit(2, [one.bundle(2), one.bundle(3)]).refused), ['counter-gap 2+2 (1)']);
  one.submit(1, [one.bundle(1)]);
  assert.equal(codesOf(one.submit(3, [one.bundle(3)]).refused), ['counter-gap 3+1 (2)']);
  assert.is(one.last(), 1);
});

inbox('what a request handler made of a frame is made again from its bytes, and held against it', () => {
  const refused = (alter: (frame: SubmittedFrame) => void, envelope = '') => {
    const one = new OneInbox();
    const frame = one.frame(1, [one.bundle(1, envelope), one.bundle(2)]);
    alter(frame);
    assert.throws(() => one.take(frame), /^request handler: /);
  };
  const flip = (at: (frame: SubmittedFrame) => number) => (frame: SubmittedFrame) => {
    frame.chunk.bytes[at(frame)]! ^= 1;
  };
  refused(
    flip(({ from }) => from + 2 + 89 + 4 + 8),
    'an envelope of another hash',
  );
  refused(flip(({ from }) => from + 2 + 9));
  refused(flip(({ to }) => to));
  refused(flip(({ to }) => to + 32));
  // Offsets: where the first bundle ends, its leaf hashes, where the second ends.
  refused(flip(({ to }) => to + 64 + 3));
  refused(flip(({ to }) => to + 64 + 7));
  refused(flip(({ to }) => to + 72 + 3));
  new OneInbox().submit(1, [new OneInbox().bundle(1, 'sealed')]);
});

inbox('places are told to the newest session of the sender', () => {
  const one = new OneInbox();
  one.submit(1, [one.bundle(1)], 5);
  one.last();
  assert.is(one.epoch()[0]!.connection, 1);
});

inbox('memory of frames that gave nothing is released, too', () => {
  const one = new OneInbox();
  one.submit(1, [one.bundle(1)]);
  one.epoch();
  assert.is(one.pipeline.takeGateway('released').length, 1);
  one.pipeline.takeGateway('queue-taken');
  one.submit(1, [one.bundle(1)]);
  one.submit(5, [one.bundle(5)]);
  assert.ok(one.pipeline.work, 'an epoch is asked for, lest they wait for the heartbeat');
  one.epoch();
  const frames = one.pipeline.takeGateway('released').flatMap(({ chunks }) => chunks);
  assert.equal(frames, [{ id: 0, frames: 2 }]);
  assert.is(one.pipeline.takeGateway('queue-taken')[0]!.load.bytes, 2 * one.bundle(1).length);
  assert.is(one.pipeline.stage<Inbox>('inbox', 0)['queue'].count, 0);
});

inbox.run();
