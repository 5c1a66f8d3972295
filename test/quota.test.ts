/**
 * What an outbox keeps for a mailbox, with plain arrays for neighbours: quotas, what is let go after the
 * retention, long acknowledgments and backlogs in steps. Reference counts are held against the chains.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Links } from '../src/actors/epoch-file.js';
import { MailboxDirectory } from '../src/actors/mailbox-directory.js';
import { address } from '../src/actors/messages.js';
import type { Outbox } from '../src/actors/outbox.js';
import { Sweep } from '../src/actors/retention.js';
import { epochKey, TABLE, type Table } from '../src/actors/store-keys.js';
import { WAYMARK_LINKS } from '../src/actors/waymarks.js';
import {
  decodeDeliver,
  encodeAck,
  FRAME,
  getU64,
  MAILBOX_KIND,
  SESSION_KIND,
} from '../src/protocol/index.js';
import { Pipeline, type PipelineOptions } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import { MemoryStore } from './support/store.js';
import * as twin from './twin/index.js';
import { named, runOptions, worldOf } from './worlds.js';

const MANY = 2 ** 31;
const quota = (unacknowledgedEpochs: number, unacknowledgedBytes = MANY) => ({
  unacknowledgedEpochs,
  unacknowledgedBytes,
});

/** Counts what is read, by table. */
class CountingStore extends MemoryStore {
  reads: Record<string, number> = {};

  private count(key: Uint8Array): void {
    const table = String.fromCharCode(key[0]!);
    this.reads[table] = (this.reads[table] ?? 0) + 1;
  }

  override get(key: Uint8Array): Uint8Array | undefined {
    this.count(key);
    return super.get(key);
  }

  override view(key: Uint8Array): Uint8Array | undefined {
    this.count(key);
    return super.view(key);
  }
}

/** One inbox, one outbox; every client has a mailbox. Sockets are numbered as their clients. */
class Server {
  readonly store = new CountingStore();
  readonly pipeline: Pipeline;
  private readonly world;
  private readonly counters: number[];
  private directory = new MailboxDirectory(this.store);
  private readonly to = address('outbox');

  constructor(mailboxes: number, options: Partial<PipelineOptions>) {
    const shape = { inboxes: 1, outboxes: 1, mailboxes, bundles: [], asked: [], moved: [] };
    this.world = worldOf(shape);
    this.counters = this.world.clients.map(() => 0);
    const given = { checkInputs: false, flushEpochs: 4, store: this.store, ...options };
    this.pipeline = new Pipeline(clusterOf(this.world), given);
    this.world.clients.forEach((_, i) => {
      this.open(i, 0, SESSION_KIND.front);
    });
  }

  id(i: number): Buffer {
    return this.world.clients[i]!.id;
  }

  get lastEpoch(): number {
    return this.pipeline.log().lastEpoch;
  }

  /** As after a crash: what was put off never happens. */
  restart(): void {
    this.pipeline.restart();
    this.pipeline.steps = MANY;
    this.directory = new MailboxDirectory(this.store);
  }

  /** Returns what the session is answered with, if it is answered by now. */
  open(i: number, acknowledged = 0, kind: 1 | 2 = SESSION_KIND.outbox) {
    const session = { kind, acknowledged, logSize: 0, seed: named(`seed ${i}`) };
    const where = { connection: i, slot: 0, mailbox: this.id(i) };
    this.pipeline.tell(this.to, { type: 'open-mailbox', ...where, ...session });
    return this.pipeline.takeGateway('mailbox-opened').at(-1);
  }

  leave(i: number): void {
    this.pipeline.tell(this.to, { type: 'disconnected', connection: i });
  }

  /** One epoch with a message from one to some. */
  epoch(from: number, to: readonly number[], bytes = 10): number {
    return this.together([from], to, bytes);
  }

  /** One epoch with a message from each of some to the same. */
  together(senders: readonly number[], to: readonly number[], bytes = 10): number {
    const recipients = to
      .map((i) => ({
        mailbox: this.id(i),
        blinder: named('blinder').subarray(0, 16),
        envelope: Buffer.alloc(0),
      }))
      .sort((a, b) => Buffer.compare(a.mailbox, b.mailbox));
    const frames = senders.map((from) => {
      const message = { sender: this.id(from), counter: 0n, recipients, body: Buffer.alloc(bytes) };
      this.counters[from]!++;
      return this.pipeline.frame(this.id(from), this.counters[from]!, [twin.bundleBytes(message)]);
    });
    this.pipeline.tell(address('inbox'), { type: 'submit', frames });
    this.pipeline.close();
    this.pipeline.commit();
    return this.lastEpoch;
  }

  /** An epoch without a message. */
  pass(epochs: number): void {
    for (let i = 0; i < epochs; i++) {
      this.pipeline.close();
      this.pipeline.commit();
    }
  }

  acknowledge(i: number, epoch: number): void {
    const frame = encodeAck([{ slot: 0, epoch }]);
    this.pipeline.tell(this.to, { type: 'ack', connection: i, frame });
  }

  /** Reads all there is to read; returns the epochs that came. */
  take(i: number): number[] {
    const epochs: number[] = [];
    for (;;) {
      const frames = this.pipeline
        .takeGateway('frames')
        .filter(({ connection }) => connection === i)
        .flatMap((message) => message.frames);
      if (frames.length === 0) return epochs;
      const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
      for (const frame of frames.filter((each) => each[0] === FRAME.deliver)) {
        const { epoch, mailboxes } = decodeDeliver(frame);
        if (mailboxes[0]!.kind === MAILBOX_KIND.link) epochs.push(epoch.epoch);
      }
      this.pipeline.tell(this.to, { type: 'drained', connection: i, bytes });
    }
  }

  /** What request handlers refuse by now: r = to receive, s = to send. */
  full(): string {
    for (const message of this.pipeline.takeGateway('mailboxes-full')) this.directory.changed(message);
    return this.counters
      .map((_, i) => {
        const { directory } = this;
        return (
          (directory.isFull(this.id(i), 0) ? 'r' : '') + (directory.mustNotSend(this.id(i), 0) ? 's' : '')
        );
      })
      .join('.');
  }

  state(i: number) {
    return this.pipeline.stage<Outbox>('outbox', 0)['mailboxes'].get(this.id(i).toString('latin1'))!;
  }

  epochsIn(table: Table): number[] {
    return [...this.store.keys(epochKey(table, 0, 0), epochKey(table, 2 ** 50, 0))].map((key) =>
      getU64(key, 1),
    );
  }

  /** Everything unacknowledged is there; nobody counts more or less than the chains say. */
  audit(): void {
    const outbox = this.pipeline.stage<Outbox>('outbox', 0);
    const references = outbox['unacknowledged']['epochs'];
    const seen = this.counters.map(() => ({ links: 0, own: 0, bytes: 0 }));
    for (const epoch of this.epochsIn(TABLE.links)) {
      const links = Links.read(this.store.get(epochKey(TABLE.links, epoch, 0))!);
      let [count, own] = [0, 0];
      let received = false;
      this.counters.forEach((_, i) => {
        const at = links.find(this.id(i).toString('latin1'));
        if (at < 0 || epoch <= this.state(i).acknowledged.lastEpoch) return;
        count++;
        if (links.isOwn(at)) own++;
        else received = true;
        const { links: all, own: alone, bytes } = links.chainAfter(at);
        const { acknowledged } = this.state(i);
        seen[i] = {
          links: all - acknowledged.links,
          own: alone - acknowledged.own,
          bytes: bytes - acknowledged.bytes,
        };
      });
      const { mailboxes = 0, own: counted = 0 } = references.get(epoch) ?? {};
      assert.equal([mailboxes, counted], [count, own], `references of epoch ${epoch}`);
      const bodies = this.store.get(epochKey(TABLE.bodies, epoch, 0));
      assert.ok(!received || bodies, `bodies of epoch ${epoch}`);
    }
    this.counters.forEach((_, i) => {
      const { chain, acknowledged } = this.state(i);
      const left = { links: chain.links - acknowledged.links, own: chain.own - acknowledged.own };
      assert.equal({ ...left, bytes: chain.bytes - acknowledged.bytes }, seen[i], `weight of ${i}`);
    });
  }
}

const test = suite('quotas');

test('a mailbox is full at its quota of links, and has room when its owner acknowledges', () => {
  const server = new Server(3, { quota: quota(3) });
  server.epoch(0, [1]);
  server.epoch(0, [1, 2]);
  assert.is(server.full(), '..');
  const third = server.epoch(0, [1]);
  assert.is(server.full(), '.r.');
  // What was under way comes in all the same.
  server.epoch(0, [1]);
  server.open(1);
  assert.is(server.take(1).length, 4);
  server.acknowledge(1, third);
  assert.is(server.full(), '..');
  server.audit();
});

test('a mailbox is full at its quota of bytes', () => {
  const server = new Server(2, { quota: quota(MANY, 1000) });
  server.epoch(0, [1], 400);
  assert.is(server.full(), '.');
  const second = server.epoch(0, [1], 400);
  assert.is(server.full(), '.r');
  server.open(1, second);
  assert.is(server.full(), '.');
});

for (const flushEpochs of [1, 100_000]) {
  test(`a restart knows who is full, states written every ${flushEpochs} epochs`, () => {
    const server = new Server(40, { quota: quota(2), flushEpochs });
    for (let i = 0; i < 3; i++) server.epoch(0, [7, 9]);
    for (let i = 10; i < 30; i++) server.epoch(i, [i + 1]);
    const before = server.full();
    assert.is([...before].filter((letter) => letter === 'r').length, 2);
    server.store.reads = {};
    server.restart();
    assert.is(server.full(), before);
    if (flushEpochs === 1) assert.ok((server.store.reads['M'] ?? 0) <= 6, 'looks at those who are full');
    server.open(7, server.lastEpoch - 20 > 0 ? server.state(7).chain.lastEpoch : 0);
    server.epoch(1, [2]);
    server.epoch(1, [2]);
    server.restart();
    assert.is([...server.full()].filter((letter) => letter === 'r').length, flushEpochs === 1 ? 2 : 3);
    server.audit();
  });
}

test('who only sends is never full and never keeps more than the retention', () => {
  const server = new Server(3, { quota: quota(2), retentionEpochs: 20 });
  const first = server.epoch(0, [1]);
  server.open(1);
  for (let i = 0; i < 100; i++) server.acknowledge(1, server.epoch(0, [1]));
  assert.is(server.full(), '..');
  server.pass(6);
  server.audit();
  assert.ok(server.epochsIn(TABLE.links).length <= 30, `${server.epochsIn(TABLE.links).length} epochs`);
  assert.ok(server.epochsIn(TABLE.attestations).length <= 30);
  // Later it comes, and is told how far its messages are gone.
  const opened = server.open(0, first)!;
  assert.is(opened.error, null);
  assert.ok(opened.lastEpoch > first);
  assert.is(server.take(0).length, server.state(0).chain.own - server.state(0).acknowledged.own);
});

test('what was received stays, and the messages sent behind it; then their sender may send no more', () => {
  const server = new Server(3, { quota: quota(5), retentionEpochs: 10 });
  const received = server.epoch(0, [1]);
  server.open(0);
  server.open(2);
  for (let i = 0; i < 14; i++) server.acknowledge(2, server.epoch(1, [2]));
  server.acknowledge(0, received);
  assert.is(server.full(), '..');
  server.acknowledge(2, server.epoch(1, [2]));
  assert.is(server.full(), '.s.');
  server.restart();
  assert.is(server.full(), '.s.');
  assert.is(server.state(1).acknowledged.lastEpoch, 0);
  server.audit();
  // It acknowledges what it received and goes: now its own messages may go, in the rounds that follow.
  server.open(1, received);
  server.leave(1);
  server.pass(12);
  assert.is(server.full(), '..');
  assert.is(server.state(1).acknowledged.lastEpoch, server.state(1).chain.lastEpoch);
  server.pass(20);
  assert.ok(server.epochsIn(TABLE.links).length <= 1, 'what was passed over is swept without a restart');
});

test('nothing is let go while its mailbox is read', () => {
  const server = new Server(2, { retentionEpochs: 5 });
  server.open(0);
  server.open(1);
  const first = server.epoch(0, [1]);
  server.pass(20);
  assert.is(server.state(0).acknowledged.lastEpoch, 0);
  server.leave(0);
  server.pass(5);
  assert.is(server.state(0).acknowledged.lastEpoch, first);
});

test('a sweep reads no values', () => {
  const server = new Server(2, { retentionEpochs: 5 });
  server.open(1);
  server.open(0);
  const last = server.epoch(0, [1]);
  server.acknowledge(1, last);
  server.acknowledge(0, last);
  server.epoch(1, [1]);
  server.store.reads = {};
  server.pass(30);
  assert.is(server.epochsIn(TABLE.links).length, 1);
  for (const table of 'KBEA') assert.is(server.store.reads[table], undefined, table);
});

test('an epoch in which many have only sent is read once to let all of them go', () => {
  const server = new Server(40, { retentionEpochs: 70 });
  server.open(0);
  server.acknowledge(
    0,
    server.together(
      Array.from({ length: 39 }, (_, i) => i + 1),
      [0],
    ),
  );
  server.pass(69);
  server.store.reads = {};
  server.pass(6);
  assert.is(server.store.reads['K'], 1);
  assert.is(server.state(39).acknowledged.own, 1);
  server.audit();
});

test('acknowledgments of links that are not there: one look at the store per slot and frame, one answer', () => {
  const server = new Server(3, {});
  const first = server.epoch(0, [1]);
  const between = server.epoch(0, [2]);
  server.pass(70);
  server.epoch(0, [1]);
  server.open(1);
  server.take(1);
  server.store.reads = {};
  const never = Array.from({ length: 1000 }, () => ({ slot: 0, epoch: between }));
  const frame = encodeAck([...never, { slot: 0, epoch: first }]);
  server.pipeline.tell(address('outbox'), { type: 'ack', connection: 1, frame });
  assert.ok(server.store.reads['K']! <= 2, `${server.store.reads['K']} looks`);
  assert.is(server.pipeline.takeGateway('ack-refused').length, 1);
});

test('a sweep passes over epochs of others no faster than over its own, and leaves none out', () => {
  const store = new MemoryStore();
  const others = Array.from({ length: 200 }, (_, i) => ({ epoch: i + 1, outbox: 0 }));
  const mine = [150, 3, 152, 2].map((epoch) => ({ epoch, outbox: 1 }));
  store.write(
    [...others, ...mine].map(({ epoch, outbox }) => ({
      key: epochKey(TABLE.references, epoch, outbox),
      value: Uint8Array.of(1),
    })),
  );
  const sweep = new Sweep(store, TABLE.references, 0);
  let looked = 0;
  const takes = (key: Uint8Array) => {
    looked++;
    return key[10] === 1;
  };
  const found: number[] = [];
  for (let commit = 0; commit < 50; commit++) {
    found.push(...sweep.next(200, takes));
    assert.ok(looked <= 20, `${looked} keys in one commit`);
    looked = 0;
  }
  assert.equal(
    [...new Set(found)].sort((a, b) => a - b),
    [2, 3, 150, 152],
  );
});

/** A backlog of so many epochs for mailbox 1. */
function behind(links: number, options: Partial<PipelineOptions> = {}): { server: Server; epochs: number[] } {
  const server = new Server(2, options);
  server.open(0);
  const epochs: number[] = [];
  for (let i = 0; i < links; i++) {
    epochs.push(server.epoch(0, [1]));
    server.acknowledge(0, epochs.at(-1)!);
  }
  server.take(0);
  return { server, epochs };
}

test('a backlog comes whole and in order, a bounded piece in each step', () => {
  const { server, epochs } = behind(300);
  server.pipeline.steps = 1;
  server.store.reads = {};
  server.open(1);
  const reads = server.store.reads['K']!;
  assert.ok(reads <= 2 * WAYMARK_LINKS + 64, `${reads} epochs looked at in the first step`);
  const subscription = server.pipeline
    .stage<Outbox>('outbox', 0)
    ['deliverer']['subscriptions'].get(server.id(1).toString('latin1'))!;
  assert.ok(subscription.backlog.length <= WAYMARK_LINKS);
  const frames = server.pipeline.gateway.filter(({ type }) => type === 'frames').length;
  assert.ok(frames < 70, `${frames} frames in the first step`);
  server.pipeline.steps = MANY;
  assert.equal(server.take(1), epochs);
  assert.ok(server.store.reads['K']! <= 3 * 300, `${server.store.reads['K']} epochs looked at in all`);
});

test('a backlog is proven under one checkpoint, while others go on', () => {
  const { server } = behind(200, { bytesInFlight: 4000 });
  server.open(1);
  let checkpoints = 0;
  let deliveries = 0;
  while (deliveries < 200) {
    server.epoch(0, [0]);
    const frames = server.pipeline.takeGateway('frames').filter(({ connection }) => connection === 1);
    const all = frames.flatMap((message) => message.frames);
    checkpoints += all.filter((frame) => frame[0] === FRAME.checkpoint).length;
    deliveries += all.filter((frame) => frame[0] === FRAME.deliver).length;
    const bytes = all.reduce((sum, frame) => sum + frame.length, 0);
    server.pipeline.tell(address('outbox'), { type: 'drained', connection: 1, bytes });
  }
  assert.ok(checkpoints <= 2, `${checkpoints} checkpoints`);
});

test('a long acknowledgment goes in steps, and a session waits for it; a crash in between loses nothing', () => {
  const { server, epochs } = behind(400, { flushEpochs: 1 });
  const last = epochs.at(-1)!;
  server.pipeline.steps = 0;
  assert.is(server.open(1, last), undefined);
  server.pipeline.steps = 2;
  assert.is(server.open(1, last), undefined);
  server.audit();
  const reached = server.state(1).acknowledged.lastEpoch;
  assert.ok(reached > 0 && reached < last, `through ${reached}`);
  server.epoch(0, [0]);
  server.restart();
  server.audit();
  assert.is(server.state(1).acknowledged.lastEpoch, reached);
  assert.is(server.open(1, last)!.lastEpoch, last);
  server.epoch(0, [0]);
  server.epoch(0, [0]);
  server.audit();
  assert.ok(server.epochsIn(TABLE.bodies).every((epoch) => epoch > last));
  assert.equal(
    [...server.store.keys(Uint8Array.of(TABLE.waymark), Uint8Array.of(TABLE.waymark + 1))].length <= 8,
    true,
  );
});

test('an older session that still reads is over before a newer one acknowledges a long way', () => {
  const { server, epochs } = behind(400, { flushEpochs: 1, bytesInFlight: 500 });
  server.open(1);
  server.pipeline.steps = 2;
  const acknowledged = epochs.at(-1)!;
  const seed = named('seed 1');
  const newer = {
    connection: 9,
    slot: 0,
    mailbox: server.id(1),
    kind: SESSION_KIND.outbox,
    logSize: 0,
    seed,
  };
  server.pipeline.tell(address('outbox'), { type: 'open-mailbox', ...newer, acknowledged });
  assert.is(server.pipeline.takeGateway('displaced').at(-1)?.connection, 1);
  // Bodies of what is acknowledged by now are deleted; the older socket has room again.
  server.epoch(0, [0]);
  server.epoch(0, [0]);
  server.pipeline.steps = MANY;
  server.take(1);
  assert.is(server.state(1).acknowledged.lastEpoch, acknowledged);
  assert.is(server.pipeline.takeGateway('mailbox-opened').at(-1)?.lastEpoch, acknowledged);
});

test('an acknowledgment beyond what is known is refused, a long one under way or not', () => {
  const { server, epochs } = behind(200);
  server.open(1);
  server.take(1);
  server.pipeline.steps = 0;
  server.acknowledge(1, epochs.at(-1)!);
  server.acknowledge(1, epochs.at(-1)! + 1);
  server.acknowledge(1, 3);
  assert.is(server.pipeline.takeGateway('ack-refused').length, 1);
});

type Act = readonly [what: number, who: number, more: number];
test('whatever happens in whatever order, nothing unacknowledged goes and nothing is counted twice', () => {
  const act: fc.Arbitrary<Act> = fc.tuple(fc.nat(9), fc.nat(3), fc.nat(200));
  fc.assert(
    fc.property(
      fc.array(act, { minLength: 10, maxLength: 80 }),
      fc.integer({ min: 1, max: 5 }),
      (acts, flushEpochs) => {
        const server = new Server(4, { flushEpochs, quota: quota(3, 500), retentionEpochs: 6 });
        for (const [what, who, more] of acts) {
          if (what < 4)
            server.epoch(
              who,
              [more % 4, (more >> 2) % 4].filter((i, at, all) => all.indexOf(i) === at),
            );
          else if (what === 4) for (let i = 0; i < more % 100; i++) server.epoch(who, [(who + 1) % 4]);
          else if (what === 5) server.open(who);
          else if (what === 6) server.leave(who);
          else if (what === 7)
            server.acknowledge(who, Math.max(0, server.state(who).chain.lastEpoch - (more % 3)));
          else if (what === 8) server.restart();
          else server.pipeline.steps = more % 3 === 0 ? MANY : more % 3;
          server.audit();
        }
        server.pipeline.steps = MANY;
        server.pass(1);
        server.audit();
      },
    ),
    runOptions(4, 1),
  );
});

test.run();
