/** What an outbox does for readers that are behind: never more than they take, never less than they need. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EpochBlocks, Memory } from '../src/actors/memory.js';
import { address } from '../src/actors/messages.js';
import { HEAD_ROOM, Outstanding, SocketBytes } from '../src/actors/outstanding.js';
import { epochKey, idKey, TABLE } from '../src/actors/store-keys.js';
import {
  type Deliver,
  decodeDeliver,
  encodeAck,
  FRAME,
  getU64,
  LOG_MODE,
  MAILBOX_KIND,
  putDeliverHead,
  SESSION_KIND,
  type SessionKind,
  Writer,
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
  /** How often an actor has taken a block, and the different ones. */
  taken = 0;
  readonly blocks = new Set<ArrayBufferLike>();

  constructor(bytesInFlight: number, slots = [0, 1], flushing: Flushing = { flushEpochs: 1 }) {
    const options = { checkInputs: false, bytesInFlight, ...flushing };
    this.pipeline = new Pipeline(clusterOf(this.world), options);
    const { memory } = this.pipeline;
    const take = memory.take.bind(memory);
    memory.take = (bytes) => {
      const block = take(bytes);
      this.taken++;
      this.blocks.add(block.buffer);
      return block;
    };
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
    this.close(bytes);
    this.pipeline.commit();
  }

  /** The same, not committed yet. */
  close(bytes: number): void {
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

  /** Takes until nothing more comes. Returns all deliveries. */
  takeAll(): Deliver[] {
    const all: Deliver[] = [];
    this.drain(0);
    for (let taken = this.take(); taken.bytes > 0; taken = this.take()) all.push(...taken.deliveries);
    return all;
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

// ---- what is made ready while an epoch is written

const slotsOf = (deliveries: Deliver[]) =>
  deliveries.flatMap(({ epoch, mailboxes }) => mailboxes.map(({ slot }) => `${epoch.epoch}: ${slot}`));

outbox('what is made ready while an epoch is written is what is made when it is committed', () => {
  for (const bytes of [10, 40_000, 300_000]) {
    const [ready, late] = [new OneOutbox(1 << 30), new OneOutbox(1 << 30)];
    const frames = [ready, late].map((one) => {
      one.epoch(1);
      one.takeAll();
      if (one === late) one.pipeline.steps = 0;
      one.close(bytes);
      assert.is(one.pipeline.takeGateway('frames').length, 0, 'nothing leaves before it is committed');
      const taken = one.taken;
      one.pipeline.commit();
      assert.is(
        one.taken > taken,
        one === late && bytes > 16_384,
        'memory of frames is taken when they are made',
      );
      return one.pipeline
        .takeGateway('frames')
        .flatMap((message) => message.frames.map((frame) => frame.slice()));
    });
    assert.equal(frames[0], frames[1]);
    assert.is(frames[0]!.length, bytes > 240_000 ? 2 : 1);
  }
});

outbox('who is displaced while an epoch is written gets nothing of it; the others of the socket do', () => {
  const one = new OneOutbox(1 << 30);
  one.take();
  one.close(40_000);
  const other = READER + 1;
  one.pipeline.open(one.mailbox(0), SESSION_KIND.outbox, other, 5);
  one.pipeline.commit();
  const frames = one.pipeline.takeGateway('frames');
  const slotsAt = (connection: number) =>
    slotsOf(
      frames
        .filter((message) => message.connection === connection)
        .flatMap((message) => message.frames)
        .filter((frame) => frame[0] === FRAME.deliver)
        .map((frame) => decodeDeliver(frame.slice())),
    );
  assert.equal(slotsAt(READER), ['1: 1']);
  assert.equal(slotsAt(other), ['1: 5']);
});

outbox('a socket that closes while an epoch is written gets nothing, and its memory is used again', () => {
  const one = new OneOutbox(1 << 30);
  one.takeAll();
  const epoch = (number: number) => {
    one.close(40_000);
    one.pipeline.tell(address('outbox'), { type: 'disconnected', connection: READER });
    one.pipeline.commit();
    assert.is(one.pipeline.takeGateway('frames').length, 0);
    for (const slot of [0, 1]) one.open(slot);
    one.takeAll();
    one.acknowledge(number);
  };
  // Until as many epochs are kept in memory as ever are.
  for (let number = 1; number <= 80; number++) epoch(number);
  const { size } = one.blocks;
  for (let number = 81; number <= 100; number++) epoch(number);
  assert.ok(one.blocks.size < size + 5, `${one.blocks.size - size} new blocks`);
});

outbox(
  'who catches up while an epoch is written gets it once, with all others, in the order of leaves',
  () => {
    const one = new OneOutbox(1 << 30, [0]);
    // More than one step sends.
    const old = 100;
    for (let i = 0; i < old; i++) one.epoch(10);
    one.take();
    one.pipeline.steps = 0;
    one.open(1);
    one.close(20);
    one.pipeline.steps = 1;
    assert.ok(one.take().deliveries.length < old);
    one.pipeline.steps = Number.POSITIVE_INFINITY;
    one.takeAll();
    one.pipeline.commit();
    const deliveries = one.takeAll();
    assert.equal(
      deliveries.map(({ mailboxes }) => mailboxes.map(({ position }) => position)),
      [[0, 1]],
    );
    assert.equal(slotsOf(deliveries).sort(), [`${old + 1}: 0`, `${old + 1}: 1`]);
  },
);

outbox('what is ready counts as outstanding until it is sent, and not when it is dropped', () => {
  const one = new OneOutbox(50_000);
  one.take();
  one.close(60_000);
  one.open(1);
  one.pipeline.commit();
  const first = one.take();
  assert.equal(slotsOf(first.deliveries).sort(), ['1: 0', '1: 1'], 'what was dropped has left its room');
  one.epoch(60_000);
  const second = sizeOf(one.pipeline.takeGateway('frames').flatMap((message) => message.frames));
  one.close(60_000);
  assert.is(one.pipeline.takeGateway('frames').length, 0);
  one.pipeline.commit();
  assert.is(one.pipeline.takeGateway('frames').length, 0, 'no room until what was sent is taken');
  one.drain(second);
  assert.equal(slotsOf(one.takeAll()).sort(), ['3: 0', '3: 1']);
});

outbox('each of two sockets has half of the room when both together have too much', () => {
  const outstanding = new Outstanding({
    memory: new Memory(),
    bytesInFlight: 100_000,
    bytesInFlightInAll: 50_000,
  });
  const [one, other] = [new SocketBytes(), new SocketBytes()];
  const room = () => [one, other].map((socket) => outstanding.hasRoom(socket, 2));
  const keep = (socket: SocketBytes, bytes: number) => outstanding.keep(socket, new Uint8Array(bytes));
  const [large, small] = [keep(one, 40_000), keep(other, 9000)];
  assert.equal(room(), [true, true]);
  const last = keep(other, 1000);
  assert.equal(room(), [false, true]);
  outstanding.drop(other, last);
  assert.equal(room(), [true, true], 'what is dropped does not count');
  const head = new Uint8Array(100);
  const sent = [outstanding.seal(one, head, large), outstanding.seal(other, head, small)];
  assert.equal(
    sent.map(({ length }) => length),
    [40_100, 9100],
  );
  outstanding.send(other, 800);
  assert.equal(room(), [false, true], 'heads and other frames count');
  outstanding.take(one, 40_100);
  assert.equal(room(), [true, true]);
  outstanding.close(other);
  assert.is([one, other].map((socket) => socket.outstanding).join(), '0,0');
  keep(one, 49_999);
  assert.equal(room(), [true, true], 'nothing is left of what is gone');
});

outbox('the longest head has room in front of what is ready', () => {
  const out = new Writer(64);
  const hashes = (count: number) => Buffer.alloc(count * 32);
  const hash = hashes(1);
  const proof = {
    mode: LOG_MODE.extend,
    logIndex: 2 ** 52,
    from: 1,
    signature: hashes(2),
    gap: hashes(106),
  } as const;
  const base = { size: 2 ** 52, root: hash };
  const world = { epoch: 2 ** 52, previousEpoch: 1, base, manifestHash: hash, placementRoot: hash };
  const own = { inputs: hash, entries: 1, leaves: 1, signature: hashes(2), actorPath: hashes(17) };
  putDeliverHead(out, proof, { ...world, ...own });
  assert.ok(out.length <= HEAD_ROOM, `${out.length} bytes`);
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
