/** The single-lock server's lock, queues and deliveries, with arrays for neighbours. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Deliveries } from '../bench/baselines/central-deliveries.js';
import { CentralLock, runsOf } from '../bench/baselines/central-lock.js';
import { CentralQueues, type Message } from '../bench/baselines/central-queues.js';
import { entryBytes, forEachEntry } from '../bench/baselines/central-wire.js';
import { encodeBundle } from '../src/protocol/index.js';
import { MemoryStore } from './support/store.js';

const idOf = (mailbox: number) => new Uint8Array(32).fill(mailbox);
const BODY_BYTES = 10;

/** To these mailboxes; the body names them. */
function messageTo(counter: number, ...mailboxes: number[]): Message {
  const recipients = mailboxes.map((each) => ({ mailbox: idOf(each), envelope: new Uint8Array(each % 2) }));
  const bundle = encodeBundle(recipients, new Uint8Array(BODY_BYTES).fill(counter), idOf(0));
  return { connection: 1, counter, bundle: Buffer.from(bundle), sequence: 0 };
}

/** A server's state, a disk, and what its readers were sent: `mailbox@place`. */
class Server {
  readonly queues: CentralQueues;
  readonly deliveries: Deliveries;
  readonly sent: string[] = [];
  readonly frames: number[] = [];

  constructor(
    readonly store: MemoryStore,
    bytesInFlight = 1 << 20,
  ) {
    this.queues = new CentralQueues(store);
    this.deliveries = new Deliveries(this.queues, bytesInFlight);
  }

  register(...mailboxes: number[]): void {
    this.store.write(this.queues.register(mailboxes.map(idOf)));
  }

  place(...messages: Message[]): void {
    this.store.write(this.queues.take(messages));
    this.deliveries.deliver(messages);
  }

  open(connection: number, mailboxes: readonly number[], acknowledged = 0): void {
    const opened = mailboxes.map((mailbox) => ({ mailbox: idOf(mailbox), acknowledged }));
    this.deliveries.open(connection, opened, (frame) => {
      this.frames.push(frame.length);
      forEachEntry(frame, (slot, place, from, to) => {
        assert.is(to - from, 8 + BODY_BYTES);
        this.sent.push(`${mailboxes[slot]}@${place}`);
      });
    });
  }

  flush(): void {
    this.store.write([...this.queues.flush(), ...this.queues.take([])]);
  }

  /** Messages on disk. */
  get kept(): number {
    return [...this.store.keys(Uint8Array.of(0x6d), Uint8Array.of(0x6e))].length;
  }

  takeSent(): string[] {
    return this.sent.splice(0);
  }
}

function newServer(bytesInFlight?: number): Server {
  const server = new Server(new MemoryStore(), bytesInFlight);
  server.register(1, 2, 3);
  return server;
}

test('lock: one at a time, in order, whatever comes meanwhile', () => {
  const steps: (() => void)[] = [];
  const taken: number[][] = [];
  const releases: (() => void)[] = [];
  const lockFor = (perTransaction: number) =>
    new CentralLock(
      perTransaction,
      (messages, release) => {
        taken.push(messages.map(({ counter }) => counter));
        releases.push(release);
      },
      (step) => steps.push(step),
    );
  const run = () => {
    for (const step of steps.splice(0)) step();
  };
  for (const [perTransaction, expected] of [
    [1, [[1], [2], [3], [4], [5]]],
    [
      100,
      [
        [1, 2, 3],
        [4, 5],
      ],
    ],
  ] as const) {
    const lock = lockFor(perTransaction);
    lock.enter([messageTo(1, 1), messageTo(2, 1)]);
    lock.enter([messageTo(3, 1)]);
    run();
    lock.enter([messageTo(4, 1), messageTo(5, 1)]);
    run();
    assert.is(taken.length, 1, 'nobody else while it is taken');
    while (releases.length > 0) {
      releases.shift()!();
      run();
    }
    assert.equal(taken.splice(0), expected);
    assert.is(lock.messages, 0);
    assert.is(lock.bytes, 0);
  }
});

test('answers: consecutive counters at consecutive places are one run, for each connection', () => {
  const at = (connection: number, counter: number, sequence: number): Message => {
    return { connection, counter, sequence, bundle: Buffer.alloc(0) };
  };
  const runs = runsOf([at(1, 5, 10), at(1, 6, 11), at(2, 1, 12), at(1, 7, 13), at(1, 9, 14)]);
  assert.equal(runs.get(1), [
    { firstCounter: 5, firstPlace: 10, count: 2 },
    { firstCounter: 7, firstPlace: 13, count: 1 },
    { firstCounter: 9, firstPlace: 14, count: 1 },
  ]);
  assert.equal(runs.get(2), [{ firstCounter: 1, firstPlace: 12, count: 1 }]);
});

test('one sequence for all mailboxes; who is away gets it later, from disk', () => {
  const server = newServer();
  server.open(7, [1, 3]);
  server.place(messageTo(1, 1, 2), messageTo(2, 2), messageTo(3, 1, 2, 3));
  assert.equal(server.takeSent(), ['1@1', '1@3', '3@3']);
  server.open(8, [2]);
  assert.equal(server.takeSent(), ['2@1', '2@2', '2@3']);
  server.place(messageTo(4, 2));
  assert.equal(server.takeSent(), ['2@4']);
});

test('a message is kept until its last recipient has acknowledged', () => {
  const server = newServer();
  server.open(7, [1, 2]);
  server.place(messageTo(1, 1, 2), messageTo(2, 1));
  server.deliveries.acknowledge(7, 0, 2);
  server.flush();
  assert.is(server.kept, 1);
  server.deliveries.acknowledge(7, 1, 1);
  assert.ok(server.queues.unsaved);
  server.flush();
  assert.is(server.kept, 0);
  assert.not(server.queues.unsaved);
});

test('started again: queues as they were, from where they were acknowledged, and the sequence goes on', () => {
  const before = newServer();
  before.open(7, [1, 2]);
  before.place(messageTo(1, 1, 2), messageTo(2, 1), messageTo(3, 2, 3));
  before.deliveries.acknowledge(7, 0, 2);
  before.flush();
  const server = new Server(before.store);
  server.open(7, [1, 2, 3]);
  assert.equal(server.takeSent(), ['2@1', '2@3', '3@3']);
  server.open(8, [2], 1);
  assert.equal(server.takeSent(), ['2@3'], 'its client knows better');
  server.place(messageTo(4, 1));
  assert.equal(server.takeSent(), ['1@4']);
  for (const [slot, place] of [4, 0, 3].entries()) server.deliveries.acknowledge(7, slot, place);
  server.deliveries.acknowledge(8, 0, 3);
  server.flush();
  assert.is(server.kept, 0);
  const empty = new Server(before.store);
  empty.open(7, [1]);
  empty.place(messageTo(5, 1));
  assert.equal(empty.takeSent(), ['1@5']);
});

test('a slow reader gets no more than is let out, the rest in order once it has taken that', () => {
  const message = messageTo(1, 1);
  const entry = { slot: 0, place: 1, bundle: message.bundle, envelopeAt: 91, bodyAt: 91 + 4 + 9 };
  const server = newServer(2 * entryBytes(entry));
  server.open(7, [1, 2]);
  for (let counter = 1; counter <= 6; counter++) server.place(messageTo(counter, 1 + (counter % 2)));
  assert.ok(server.takeSent().length < 4);
  server.deliveries.close(7);
  server.open(8, [1, 2]);
  const all: string[] = [];
  for (let i = 0; i < 10; i++) {
    all.push(...server.takeSent());
    for (const bytes of server.frames.splice(0)) server.deliveries.drained(8, bytes);
  }
  assert.equal(
    all.filter((each) => each.startsWith('1')),
    ['1@2', '1@4', '1@6'],
  );
  assert.equal(
    all.filter((each) => each.startsWith('2')),
    ['2@1', '2@3', '2@5'],
  );
});

test.run();
