/** What an outbox does for readers that are behind: never more than they take, never less than they need. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EpochBlocks, Memory } from '../src/actors/memory.js';
import { address } from '../src/actors/messages.js';
import { epochKey, idKey, TABLE } from '../src/actors/store-keys.js';
import {
  type Deliver,
  decodeDeliver,
  encodeAck,
  FRAME,
  getU64,
  MAILBOX_KIND,
  SESSION_KIND,
  type SessionKind,
} from '../src/protocol/index.js';
import { Pipeline, type PipelineOptions } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import * as twin from './twin/index.js';
import { named, type Shape, worldOf } from './worlds.js';

const SHAPE: Shape = { inboxes: 1, outboxes: 1, mailboxes: 2, bundles: [], asked: [], moved: [] };
const READER = 9;
type Flushing = Pick<PipelineOptions, 'flushEpochs' | 'flushChanged' | 'around'>;

/** A sender, and a reader's mailbox on a socket that takes what the test says. */
class OneOutbox {
  readonly pipeline: Pipeline;
  private readonly world = worldOf(SHAPE);
  private readonly to = address('outbox');
  private counter = 0;

  constructor(bytesInFlight: number, slots = [0, 1], flushing: Flushing = { flushEpochs: 1 }) {
    const options = { checkInputs: false, bytesInFlight, ...flushing };
    this.pipeline = new Pipeline(clusterOf(this.world), options);
    for (const slot of [0, 1]) this.open(slot, SESSION_KIND.front);
    for (const slot of slots) this.open(slot);
  }

  mailbox(slot: number): Uint8Array {
    return this.world.clients[slot]!.id;
  }

  open(slot: number, kind: SessionKind = SESSION_KIND.outbox): void {
    this.pipeline.open(this.mailbox(slot), kind, READER, slot);
  }

  /** One epoch with one message of so many bytes to both mailboxes. */
  epoch(bytes: number): void {
    const recipients = this.world.clients
      .map(({ id }) => ({
        mailbox: id,
        blinder: named('blinder').subarray(0, 16),
        envelope: Buffer.alloc(0),
      }))
      .sort((a, b) => Buffer.compare(a.mailbox, b.mailbox));
    const sender = this.world.clients[0]!.id;
    const bundle = twin.bundleBytes({ sender, counter: 0n, recipients, body: Buffer.alloc(bytes) });
    const frame = this.pipeline.frame(sender, ++this.counter, [bundle], 1, 7);
    this.pipeline.tell(address('inbox'), { type: 'submit', frames: [frame] });
    this.pipeline.close();
    this.pipeline.commit();
  }

  acknowledge(epoch: number): void {
    for (const slot of [0, 1])
      this.pipeline.tell(this.to, { type: 'ack', connection: READER, frame: encodeAck([{ slot, epoch }]) });
  }

  /** Takes everything that was sent; returns its deliveries and its bytes. */
  take(): { deliveries: Deliver[]; bytes: number } {
    const frames = this.pipeline.takeGateway('frames').flatMap((message) => message.frames);
    const deliveries = frames
      .filter((frame) => frame[0] === FRAME.deliver)
      .map((frame) => decodeDeliver(frame.slice()));
    const bytes = sizeOf(frames);
    this.drain(bytes);
    return { deliveries, bytes };
  }

  /** The socket has taken so many bytes more. */
  drain(bytes: number): void {
    this.pipeline.tell(this.to, { type: 'drained', connection: READER, bytes });
  }

  hasBodies(epoch: number): boolean {
    return this.pipeline.store.get(epochKey(TABLE.bodies, epoch, 0)) !== undefined;
  }
}

const sizeOf = (frames: readonly Uint8Array[]) => frames.reduce((sum, frame) => sum + frame.length, 0);

const entries = (deliveries: Deliver[]) =>
  deliveries.flatMap(({ epoch, mailboxes }) =>
    mailboxes.flatMap((mailbox) =>
      mailbox.kind === MAILBOX_KIND.link ? mailbox.entries.map(() => epoch.epoch) : [],
    ),
  );

const outbox = suite('outbox');

outbox('an acknowledgment of what this session was not sent yet deletes nothing before it is', () => {
  const one = new OneOutbox(2000);
  for (let i = 0; i < 6; i++) one.epoch(1500);
  one.acknowledge(6);
  one.epoch(1);
  for (let epoch = 2; epoch <= 6; epoch++) assert.ok(one.hasBodies(epoch), `bodies of epoch ${epoch}`);
  const seen: number[] = [];
  for (let taken = one.take(); taken.bytes > 0; taken = one.take()) seen.push(...entries(taken.deliveries));
  assert.equal([...new Set(seen)].sort(), [1, 2, 3, 4, 5, 6, 7]);
  assert.is(seen.length, 14);
  one.epoch(1);
  one.epoch(1);
  for (let epoch = 1; epoch <= 6; epoch++) assert.not(one.hasBodies(epoch), `bodies of epoch ${epoch}`);
});

outbox('an epoch never brings a socket much beyond what it may have outstanding', () => {
  const one = new OneOutbox(100_000);
  one.take();
  one.epoch(200_000);
  const first = one.take();
  assert.ok(first.bytes < 600_000, `${first.bytes} bytes`);
  for (let i = 0; i < 5; i++) one.epoch(200_000);
  const bytes = sizeOf(one.pipeline.takeGateway('frames').flatMap((message) => message.frames));
  assert.ok(bytes < 700_000, `${bytes} bytes of 2,400,000`);
});

outbox(
  'the memory of a large frame is used again when its socket has taken all of it, or is gone, and not before',
  () => {
    const one = new OneOutbox(1 << 30);
    one.take();
    const epoch = (): Uint8Array => {
      one.epoch(40_000);
      const frames = one.pipeline.takeGateway('frames').flatMap((message) => message.frames);
      assert.is(frames.length, 1);
      return frames[0]!;
    };
    const [first, second] = [epoch(), epoch()];
    const [firstWas, secondWas] = [first.slice(), second.slice()];
    one.drain(first.length - 1);
    const third = epoch();
    const thirdWas = third.slice();
    assert.equal(first, firstWas);
    one.drain(1);
    for (let i = 0; i < 4; i++) epoch();
    assert.not.equal(first, firstWas, 'some actor of the thread has it');
    assert.equal(second, secondWas);
    one.pipeline.tell(address('outbox'), { type: 'disconnected', connection: READER });
    for (const slot of [0, 1]) one.open(slot);
    one.take();
    for (let i = 0; i < 12; i++) epoch();
    assert.not.equal(second, secondWas);
    assert.not.equal(third, thirdWas);
  },
);

outbox('what a session was told of its chain stays as it was when more is acknowledged', () => {
  const one = new OneOutbox(100_000);
  one.epoch(1);
  one.take();
  one.acknowledge(1);
  one.pipeline.takeGateway('mailbox-opened');
  one.open(0);
  const [told] = one.pipeline.takeGateway('mailbox-opened');
  const before = Buffer.from(told!.head);
  assert.is(told!.lastEpoch, 1);
  one.epoch(1);
  one.take();
  one.acknowledge(2);
  assert.equal(Buffer.from(told!.head), before);
  one.open(0);
  const [next] = one.pipeline.takeGateway('mailbox-opened');
  assert.is(next!.lastEpoch, 2);
  assert.not.equal(Buffer.from(next!.head), before);
});

outbox('one answer for a frame of acknowledgments that make no sense', () => {
  const one = new OneOutbox(1 << 30);
  one.epoch(1);
  one.pipeline.gateway.length = 0;
  const acks = Array.from({ length: 65_535 }, () => ({ slot: 0, epoch: 1e12 }));
  one.pipeline.tell(address('outbox'), { type: 'ack', connection: READER, frame: encodeAck(acks) });
  assert.is(one.pipeline.takeGateway('ack-refused').length, 1);
});

outbox('however many mailboxes acknowledge an old epoch, it is read back once', () => {
  const one = new OneOutbox(1 << 30);
  const epochs = 100;
  for (let i = 0; i < epochs; i++) one.epoch(1);
  const { store } = one.pipeline;
  const reads = new Map<number, number>();
  const view = store.view.bind(store);
  store.view = (key) => {
    if (key[0] === TABLE.links) reads.set(getU64(key, 1), (reads.get(getU64(key, 1)) ?? 0) + 1);
    return view(key);
  };
  one.acknowledge(10);
  assert.equal(
    [...reads],
    [10, 9, 8, 7, 6, 5, 4, 3, 2, 1].map((epoch) => [epoch, 1]),
  );
  one.epoch(1);
  one.epoch(1);
  for (let epoch = 1; epoch <= 12; epoch++) assert.is(one.hasBodies(epoch), epoch > 10, `epoch ${epoch}`);
});

outbox('an acknowledgment of what never was is answered, too, when the mailbox is behind', () => {
  const one = new OneOutbox(1 << 30, []);
  one.epoch(1);
  one.pipeline.close();
  one.pipeline.commit();
  one.pipeline.steps = 0;
  one.open(0);
  const frame = encodeAck([{ slot: 0, epoch: 2 }]);
  one.pipeline.tell(address('outbox'), { type: 'ack', connection: READER, frame });
  assert.is(one.pipeline.takeGateway('ack-refused').length, 0);
  one.pipeline.steps = Number.POSITIVE_INFINITY;
  one.take();
  const refused = one.pipeline.takeGateway('ack-refused').map(({ slot, epoch }) => ({ slot, epoch }));
  assert.equal(refused, [{ slot: 0, epoch: 2 }]);
  assert.ok(one.hasBodies(1), 'nothing is deleted by it');
});

outbox('mailboxes of one socket take turns when they are behind', () => {
  const one = new OneOutbox(20_000, []);
  for (let i = 0; i < 100; i++) one.epoch(10);
  one.open(0);
  one.open(1);
  const slots: number[] = [];
  for (let taken = one.take(); taken.bytes > 0; taken = one.take())
    slots.push(...taken.deliveries.flatMap(({ mailboxes }) => mailboxes.map(({ slot }) => slot)));
  assert.is(slots.length, 200);
  assert.ok(slots.indexOf(1) < slots.lastIndexOf(0), 'the second has a turn before the first is through');
});

outbox('many mailboxes are made in several writes, and told when the last one is durable', () => {
  const { pipeline } = new OneOutbox(1 << 30);
  pipeline.gateway.length = 0;
  pipeline.sent = [];
  const count = 5000;
  const ids = Array.from({ length: count }, (_, i) => named(`many ${i}`));
  const mailboxes = Buffer.concat(ids);
  const registering = {
    type: 'register-mailboxes',
    id: 1,
    mailboxes,
    seeds: Buffer.alloc(count * 32),
  } as const;
  pipeline.tell(address('outbox'), registering);
  const order = pipeline.sent.flatMap<number | string>(({ message }) => {
    if (message.type === 'persist') return [message.records.length];
    return message.type === 'persisted' ? ['durable'] : [];
  });
  assert.equal(order, [2048, 'durable', 2048, 'durable', 904, 'durable']);
  assert.is(pipeline.takeGateway('mailboxes-registered').length, 1);
  for (const id of ids) assert.ok(pipeline.store.get(idKey(TABLE.mailbox, id)));
});

outbox(
  'changed mailboxes are written when so many have changed, though the last time is not long ago',
  () => {
    const written = (flushChanged: number) => {
      const one = new OneOutbox(1 << 30, [], { flushEpochs: 1000, flushChanged });
      const read = () => one.pipeline.store.get(idKey(TABLE.mailbox, one.mailbox(1)))!;
      const before = read();
      one.epoch(1);
      return Buffer.compare(read(), before) !== 0;
    };
    assert.not(written(3));
    assert.ok(written(2));
  },
);

outbox('blocks that a burst needed and nobody needs any more are let go', () => {
  const memory = new Memory();
  const burst = Array.from({ length: 10 }, () => memory.take(5000));
  for (const block of burst) memory.give(block);
  for (let i = 0; i < 1000; i++)
    for (const block of [memory.take(5000), memory.take(5000)]) memory.give(block);
  const kept = new Set(burst.map(({ buffer }) => buffer));
  const again = Array.from({ length: 10 }, () => memory.take(5000));
  assert.is(again.filter(({ buffer }) => kept.has(buffer)).length, 2);
});

outbox('what is taken for an epoch comes back when that one is committed, and the next one stays', () => {
  const memory = new Memory();
  const blocks = new EpochBlocks(memory);
  const [one, two] = [blocks.take(1, 5000), blocks.take(2, 5000)];
  blocks.committed(1);
  const free = [memory.take(5000), memory.take(5000)].map(({ buffer }) => buffer);
  assert.ok(free.includes(one.buffer));
  assert.not(free.includes(two.buffer));
});

outbox('blocks are little larger than what they are taken for', () => {
  const memory = new Memory();
  for (const bytes of [1, 4096, 4097, 65_536, 65_537, 1_000_000, 16 << 20, (16 << 20) + 1]) {
    const { byteLength } = memory.take(bytes).buffer;
    assert.ok(byteLength >= bytes && byteLength <= Math.max(4096, bytes * (bytes > 65_536 ? 1.25 : 2)));
  }
});

outbox('however many blocks an epoch needs, the next one needs no new ones', () => {
  const memory = new Memory();
  const epoch = () => {
    const blocks = [memory.take(1 << 20), ...Array.from({ length: 600 }, () => memory.take(20_000))];
    for (const block of blocks) memory.give(block);
    return blocks.map(({ buffer }) => buffer);
  };
  const known = new Set(epoch());
  for (let i = 0; i < 10; i++)
    assert.is(epoch().filter((buffer) => !known.has(buffer)).length, 0, `epoch ${i}`);
});

outbox('an epoch may come before the outbox is told that the last one is committed', () => {
  let told: (() => void) | null = null;
  const around: PipelineOptions['around'] = (to, { type }, step) => {
    if (to.kind !== 'outbox') return step();
    if (type !== 'committed') step();
    else if (told) return step();
    else told = step;
    if (type === 'receiver-items') told?.();
  };
  const outbox = new OneOutbox(1 << 20, [0, 1], { flushEpochs: 1, around });
  outbox.epoch(10);
  assert.is(outbox.take().deliveries.length, 0);
  outbox.epoch(20);
  assert.is(outbox.take().deliveries.length, 2);
});

outbox.run();
