/** Many mailboxes of one socket that are behind: each gets what it has to, in order and once, and an epoch is read for all of them. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { address } from '../src/actors/messages.js';
import { WAYMARK_LINKS } from '../src/actors/waymarks.js';
import {
  decodeDeliver,
  decodeEndOfBacklog,
  encodeAck,
  FRAME,
  LOG_MODE,
  MAILBOX_KIND,
  SESSION_KIND,
} from '../src/protocol/index.js';
import { MANY, Server } from './support/quota.js';
import { runOptions } from './worlds.js';

const test = suite('backlogs');

/** A socket with a slot for each client of the server. */
class Socket {
  /** What came for each slot since it was opened, by epoch. */
  readonly received = new Map<number, number[]>();
  private outstanding: number[] = [];
  /** Of each deliver frame, in order. */
  readonly frames: (readonly number[])[] = [];
  /** How they were proven. */
  readonly modes = new Set<number>();

  constructor(
    private readonly server: Server,
    readonly number: number,
  ) {}

  open(slot: number): void {
    this.received.set(slot, []);
    this.server.pipeline.open(this.server.id(slot), SESSION_KIND.outbox, this.number, slot);
  }

  /** Reads all that was sent. */
  read(): void {
    for (const { frames } of this.server.takeFrames(this.number))
      for (const frame of frames) {
        this.outstanding.push(frame.length);
        if (frame[0] === FRAME.endOfBacklog) {
          const { slot } = decodeEndOfBacklog(frame);
          assert.ok(this.received.has(slot), `slot ${slot} is open`);
        }
        if (frame[0] !== FRAME.deliver) continue;
        const { epoch, proof, mailboxes } = decodeDeliver(frame);
        this.modes.add(proof.mode);
        const positions = mailboxes.map((each) => each.position);
        assert.equal(
          positions,
          [...new Set(positions)].sort((a, b) => a - b),
          'as one proof wants them',
        );
        this.frames.push(mailboxes.map((each) => each.slot));
        for (const { slot, kind } of mailboxes)
          if (kind === MAILBOX_KIND.link) this.received.get(slot)!.push(epoch.epoch);
      }
  }

  /** The socket has taken so many frames. False when there is none. */
  drain(frames: number): boolean {
    this.read();
    const bytes = this.outstanding.splice(0, frames).reduce((sum, each) => sum + each, 0);
    if (bytes === 0) return false;
    this.server.pipeline.tell(address('outbox'), { type: 'drained', connection: this.number, bytes });
    return true;
  }

  acknowledge(slot: number, epoch: number): void {
    const frame = encodeAck([{ slot, epoch }]);
    this.server.pipeline.tell(address('outbox'), { type: 'ack', connection: this.number, frame });
  }

  close(): void {
    this.read();
    this.server.leave(this.number);
    this.received.clear();
    this.outstanding = [];
  }
}

/** So many steps that were put off may run. */
function letRun(server: Server, steps: number): void {
  server.pipeline.steps = steps;
  // Whatever an outbox is told, it goes on behind it.
  server.leave(SOCKET - 1);
}

const SOCKET = 100;
const MAILBOXES = 5;

test('an epoch is sent once to all who are behind, and read once on the way back and once on the way forward', () => {
  const mailboxes = 20;
  const server = new Server(mailboxes + 1, {});
  const all = Array.from({ length: mailboxes }, (_, i) => i + 1);
  const epochs = Array.from({ length: 150 }, () => server.epoch(0, all));
  server.pipeline.steps = 0;
  const socket = new Socket(server, SOCKET);
  for (const slot of all) socket.open(slot);
  server.store.reads = {};
  letRun(server, MANY);
  while (socket.drain(1));
  for (const slot of all) assert.equal(socket.received.get(slot), epochs, `mailbox ${slot}`);
  // Waymarks are at other epochs for each, so what is listed at a time ends at several.
  assert.ok(socket.frames.length < 3 * epochs.length, `${socket.frames.length} frames`);
  assert.is(Math.max(...socket.frames.map((slots) => slots.length)), mailboxes);
  assert.equal([...socket.modes], [LOG_MODE.under], 'all of it under one checkpoint');
  const steps = MANY - server.pipeline.steps;
  assert.ok(steps < 18, `${steps} steps of 64`);
  assert.ok(server.store.reads['K']! < 4 * epochs.length, `${server.store.reads['K']} times links`);
});

test('who has little waiting does not wait for one who has much, whenever it comes', () => {
  const server = new Server(3, { bytesInFlight: 4000 });
  const much = Array.from({ length: 10 * WAYMARK_LINKS }, () => server.epoch(0, [1]));
  const little = server.epoch(0, [2]);
  const socket = new Socket(server, SOCKET);
  socket.open(1);
  while (socket.frames.length < 5 * WAYMARK_LINKS) socket.drain(1);
  const before = socket.frames.length;
  socket.open(2);
  while (socket.drain(1));
  const first = socket.frames.findIndex((slots) => slots.includes(2));
  assert.ok(first < before + 2 * WAYMARK_LINKS, `${first - before} frames later`);
  assert.equal(socket.received.get(2), [little]);
  assert.equal(socket.received.get(1), much);
});

test('what there is no room for comes when there is', () => {
  const all = [1, 2, 3, 4, 5, 6];
  const server = new Server(all.length + 1, { bytesInFlight: 1000 });
  const epochs = [100_000, 10, 10].map((bytes) => server.epoch(0, all, bytes));
  const socket = new Socket(server, SOCKET);
  for (const slot of all) socket.open(slot);
  socket.read();
  assert.is(socket.frames.length, 1, 'as large as a frame may become');
  while (socket.drain(1));
  for (const slot of all) assert.equal(socket.received.get(slot), epochs, `mailbox ${slot}`);
});

test('who is open on another socket now is told nothing more on this one', () => {
  const server = new Server(4, { bytesInFlight: 4000 });
  const little = server.epoch(0, [2]);
  const much = Array.from({ length: 2 * WAYMARK_LINKS }, () => server.epoch(0, [1]));
  const [one, two] = [new Socket(server, SOCKET), new Socket(server, SOCKET + 1)];
  const move = (slot: number) => {
    one.read();
    one.received.delete(slot);
    two.open(slot);
  };
  server.pipeline.steps = 0;
  for (const slot of [1, 2, 3]) one.open(slot);
  move(3); // before it was looked at
  letRun(server, MANY);
  while (one.received.get(2)!.length === 0) one.drain(1);
  assert.equal(one.received.get(2), [little]);
  move(2); // when it has been sent all that was listed for it, and another has not
  while (one.drain(1));
  assert.equal(one.received.get(1), much);
});

test('an epoch that is not committed yet is not sent, and is when it is', () => {
  for (const before of [0, 3]) {
    const server = new Server(2, {});
    const epochs = Array.from({ length: before }, () => server.epoch(0, [1]));
    const socket = new Socket(server, SOCKET);
    server.begin([0], [1]);
    socket.open(1);
    socket.read();
    assert.equal(socket.received.get(1), epochs);
    server.pipeline.commit();
    socket.read();
    assert.equal(socket.received.get(1), [...epochs, server.lastEpoch]);
  }
});

/** Two sockets, and what is due to each mailbox that is open on one of them. */
class Missing {
  readonly server: Server;
  readonly sockets: Socket[];
  private readonly epochs: number[][] = Array.from({ length: MAILBOXES }, () => []);
  private readonly acknowledged = this.epochs.map(() => 0);
  /** By mailbox: where it is open, and what was acknowledged before. */
  private readonly opened = new Map<number, { readonly socket: Socket; readonly from: number }>();

  constructor(bytesInFlight: number) {
    this.server = new Server(MAILBOXES, { bytesInFlight });
    this.sockets = [0, 1].map((i) => new Socket(this.server, SOCKET + i));
  }

  epoch(mask: number): void {
    const to = this.epochs.map((_, i) => i).filter((i) => i > 0 && (mask >> (i - 1)) & 1);
    const epoch = this.server.epoch(0, to);
    for (const i of [0, ...to]) this.epochs[i]!.push(epoch);
  }

  open(slot: number, socket: number): void {
    this.check(false);
    // Nothing more comes where it was open before.
    this.opened.get(slot)?.socket.received.delete(slot);
    this.opened.set(slot, { socket: this.sockets[socket]!, from: this.acknowledged[slot]! });
    this.sockets[socket]!.open(slot);
  }

  acknowledge(slot: number): void {
    const { socket } = this.opened.get(slot) ?? {};
    socket?.read();
    const last = socket?.received.get(slot)?.at(-1);
    if (last === undefined) return;
    this.acknowledged[slot] = last;
    socket!.acknowledge(slot, last);
  }

  leave(socket: number): void {
    this.check(false);
    for (const [slot, { socket: on }] of this.opened)
      if (on === this.sockets[socket]) this.opened.delete(slot);
    this.sockets[socket]!.close();
  }

  steps(count: number): void {
    letRun(this.server, count);
  }

  /** What came is what was due, or the beginning of it. */
  check(isAll: boolean): void {
    for (const [slot, { socket, from }] of this.opened) {
      socket.read();
      const due = this.epochs[slot]!.filter((epoch) => epoch > from);
      const received = socket.received.get(slot)!;
      assert.equal(received, isAll ? due : due.slice(0, received.length), `mailbox ${slot}`);
    }
  }
}

const ACTS = ['epochs', 'open', 'open', 'acknowledge', 'drain', 'leave', 'steps'] as const;
const acts = fc.record({
  act: fc.constantFrom(...ACTS),
  slot: fc.nat(MAILBOXES - 1),
  socket: fc.nat(1),
  count: fc.nat(5),
  /** Who gets a message beside its sender, mailbox 0: epoch by epoch. */
  masks: fc.array(fc.integer({ min: 1, max: 2 ** (MAILBOXES - 1) - 1 }), { minLength: 1, maxLength: 25 }),
});
const plans = fc.record({
  bytesInFlight: fc.constantFrom(400, 4000, 1 << 20),
  acts: fc.array(acts, { minLength: 10, maxLength: 60 }),
});

test('whatever they miss, in whatever order they come and go, each gets all of it, in order and once', () => {
  fc.assert(
    fc.property(plans, ({ bytesInFlight, acts }) => {
      const world = new Missing(bytesInFlight);
      for (const { act, slot, socket, count, masks } of acts) {
        if (act === 'epochs') for (const mask of masks) world.epoch(mask);
        else if (act === 'open') world.open(slot, socket);
        else if (act === 'acknowledge') world.acknowledge(slot);
        else if (act === 'drain') world.sockets[socket]!.drain(count);
        else if (act === 'leave') world.leave(socket);
        else world.steps(count);
      }
      world.steps(MANY);
      for (let more = true; more; ) more = world.sockets.map((each) => each.drain(3)).includes(true);
      world.check(true);
    }),
    runOptions(12),
  );
});

test.run();
