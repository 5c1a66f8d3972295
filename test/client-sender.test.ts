/** The sender against a scripted front: counters, window, refusals, new numbers, restarts. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { Counters } from '../src/client/counters.js';
import { Outgoing } from '../src/client/in-flight.js';
import type { Receipt } from '../src/client/message.js';
import { Persister } from '../src/client/persister.js';
import { Sender } from '../src/client/sender.js';
import type { SenderHost } from '../src/client/sender-options.js';
import { MemoryStore } from '../src/client/store.js';
import {
  BundleHasher,
  CountersignError,
  decodeSubmitHeader,
  ERRORS,
  type ErrorCode,
  encodeBundle,
  toHex,
  ZERO_HASH,
} from '../src/protocol/index.js';
import { smallPolicy as policy } from './support/policy.js';
import { named } from './worlds.js';

const test = suite('sender');
const id = importSecretKey(Uint8Array.from(named('sender test'))).publicKey;

const bodies = new Map<string, string>();
const other = importSecretKey(Uint8Array.from(named('another mailbox'))).publicKey;

/** In capitals: to another mailbox. */
function bundle(text: string): Uint8Array {
  const bytes = encodeBundle(
    [{ mailbox: text === text.toUpperCase() ? other : id, envelope: new Uint8Array(0) }],
    Uint8Array.from(Buffer.from(text)),
    new Uint8Array(32),
  );
  bodies.set(Buffer.from(bytes).toString('hex'), text);
  return bytes;
}

const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

/** A sender with its store, and what it told the front. */
class Rig {
  readonly frames: string[] = [];
  readonly results: string[] = [];
  readonly conflicts: number[] = [];
  late = 0;
  readonly counters: Counters;
  readonly sender: Sender;

  constructor(
    readonly store = new MemoryStore(),
    window = 8,
    maxQueued = 100,
    proven = true,
  ) {
    const hex = toHex(id);
    const saved = store.load().mailboxes.get(hex);
    const persister = new Persister(store, (error) => {
      throw error;
    });
    // A mailbox was opened before, so that what is stored counts.
    const before = saved && { ...saved, chain: saved.chain ?? KNOWN };
    const host: SenderHost = {
      submit: (frames) => {
        for (const frame of frames) this.frames.push(describe(frame));
      },
      receipt: () => this.late++,
      conflict: (counter) => this.conflicts.push(counter),
    };
    this.counters = new Counters(id, hex, before, persister, host);
    const options = { window, windowBytes: 1 << 20, maxQueued, policy, proven };
    this.sender = new Sender(
      this.counters,
      options,
      new BundleHasher(new Uint8Array(32)),
      saved?.bundles ?? [],
    );
    this.counters.sender = this.sender;
  }

  send(...texts: string[]): void {
    for (const text of texts)
      this.sender.add(
        new Outgoing(
          bundle(text),
          (receipt) => this.results.push(`${text} at ${receipt.counter}`),
          (error) => this.results.push(`${text} ${(error as CountersignError).code}`),
        ),
      );
  }

  receipts(from: number, to: number): void {
    for (let counter = from; counter <= to; counter++)
      this.counters.receipt(counter, { counter, proven: true } as Receipt);
  }

  refuse(
    code: ErrorCode,
    firstCounter: number,
    count: number,
    retryAfterMs = 0,
    mailbox: Uint8Array = ZERO_HASH,
  ): void {
    const { number } = ERRORS[code];
    const about = { expected: 0, retryAfterMs, mailbox, text: '' };
    this.sender.refused({ number, slot: 0, firstCounter, count, ...about });
  }

  /** Frames since the last time. */
  async sent(): Promise<string[]> {
    await turn();
    return this.frames.splice(0);
  }
}

const PLACE = { epoch: 1, inbox: 0, index: 0 };
const chain = { lastEpoch: 0, total: 0, head: new Uint8Array(32) };
const KNOWN = {
  acknowledged: chain,
  verified: chain,
  ownCounter: 0,
  place: { epoch: 0, inbox: 0, index: 0 },
};

/** `first counter: bodies`. */
function describe(frame: Uint8Array): string {
  const { firstCounter, count } = decodeSubmitHeader(frame);
  const hex = Buffer.from(frame).toString('hex');
  const found = [...bodies].filter(([bytes]) => hex.includes(bytes));
  const ordered = found.sort(([a], [b]) => hex.indexOf(a) - hex.indexOf(b)).map(([, text]) => text);
  assert.is(ordered.length, count);
  return `${firstCounter}: ${ordered.join(' ')}`;
}

test('what is sent in one turn goes out in as few frames as the policy allows', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a', 'b', 'c', 'd', 'e');
  assert.equal(await rig.sent(), ['1: a b c d', '5: e']);
});

test('the window bounds what is under way, the queue what waits; beyond it is busy', async () => {
  const rig = new Rig(new MemoryStore(), 2, 1);
  rig.counters.opened(0, 0);
  rig.send('a', 'b', 'c', 'd');
  assert.equal(rig.results, ['d busy']);
  assert.equal(await rig.sent(), ['1: a b']);
  rig.receipts(1, 1);
  assert.equal(await rig.sent(), ['3: c']);
  assert.equal(rig.results, ['d busy', 'a at 1']);
});

test('a refused message is rejected; those behind it are numbered anew once all are answered', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a', 'b', 'c', 'd', 'e', 'f');
  assert.equal(await rig.sent(), ['1: a b c d', '5: e f']);
  rig.refuse('no-such-mailbox', 2, 1);
  rig.refuse('counter-gap', 3, 2);
  await turn();
  const { bundles } = rig.store.load().mailboxes.get(toHex(id))!;
  assert.is(bundles.length - rig.results.length, 6, 'what is told is no longer kept');
  rig.send('g');
  assert.equal(await rig.sent(), [], 'a is not answered yet, e and f neither');
  rig.refuse('counter-gap', 5, 2);
  rig.sender.placed(1, PLACE);
  assert.equal(await rig.sent(), ['2: c d e f', '6: g']);
  assert.equal(rig.results, ['b no-such-mailbox']);
  rig.receipts(1, 6);
  await turn();
  assert.equal(rig.results.slice(1), ['a at 1', 'c at 2', 'd at 3', 'e at 4', 'f at 5', 'g at 6']);
});

test('a refusal at the very end frees its counter', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a', 'b');
  await turn();
  rig.refuse('bundle-too-large', 2, 1);
  rig.sender.placed(1, PLACE);
  rig.send('c');
  await turn();
  assert.equal(rig.frames, ['1: a b', '2: c']);
});

test('a full mailbox gives back all that names it, and the others go on without waiting', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a', 'B', 'c', 'D', 'e', 'F');
  assert.equal(await rig.sent(), ['1: a B c D', '5: e F']);
  rig.refuse('mailbox-full', 2, 1, 60_000, other);
  rig.refuse('counter-gap', 3, 2);
  rig.sender.placed(1, PLACE);
  assert.equal(await rig.sent(), [], 'what is in flight is not answered yet');
  assert.equal(rig.results, [], 'nor would a restart know');
  rig.refuse('counter-gap', 5, 2);
  assert.equal(await rig.sent(), ['2: c e']);
  assert.equal(rig.results, ['B mailbox-full', 'D mailbox-full', 'F mailbox-full']);
  rig.send('g');
  rig.receipts(1, 4);
  await turn();
  assert.equal(rig.results.slice(3), ['a at 1', 'c at 2', 'e at 3', 'g at 4']);
});

test('when its own mailbox is full everything is given back', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('A', 'b', 'C');
  await rig.sent();
  rig.refuse('mailbox-full', 1, 1, 60_000, id);
  rig.refuse('counter-gap', 2, 2);
  await turn();
  assert.equal(rig.results, ['A mailbox-full', 'b mailbox-full', 'C mailbox-full']);
  rig.send('D');
  assert.equal(await rig.sent(), ['1: D']);
});

test('busy waits as long as the server says and sends the same again', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a', 'b');
  await rig.sent();
  rig.refuse('busy', 1, 2, 50);
  assert.equal(await rig.sent(), []);
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.equal(await rig.sent(), ['1: a b']);
});

test('after a reconnect only what the server has not taken in is sent again', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a', 'b', 'c');
  await rig.sent();
  rig.counters.disconnected();
  rig.send('d');
  assert.equal(await rig.sent(), []);
  rig.counters.opened(0, 2);
  assert.equal(await rig.sent(), ['3: c d']);
});

test('a restart goes on from the store, with a hole between the counters or without', async () => {
  const store = new MemoryStore();
  const first = new Rig(store);
  first.counters.opened(0, 0);
  first.send('a', 'b', 'c', 'd');
  await turn();
  first.receipts(1, 1);
  await turn();
  first.counters.disconnected();
  const second = new Rig(store);
  second.counters.opened(0, 2);
  second.send('e');
  assert.equal(await second.sent(), ['3: c d e']);
  second.receipts(2, 5);
  await turn();
  assert.is(second.late, 3);
  assert.equal(second.results, ['e at 5']);
  const third = new Rig(store);
  third.counters.opened(0, 5);
  third.send('f');
  assert.equal(await third.sent(), ['6: f']);
});

test('a server that has forgotten a counter with a receipt is not believed', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a');
  await turn();
  rig.receipts(1, 1);
  assert.throws(
    () => rig.counters.opened(0, 0),
    (error: CountersignError) => error.code === 'verification-failed',
  );
});

test('a new store with an old key goes on behind what the server knows; an old store is told', async () => {
  const fresh = new Rig();
  fresh.counters.opened(0, 17);
  fresh.send('a');
  assert.equal(await fresh.sent(), ['18: a']);
  assert.equal(fresh.conflicts, []);
  const old = new Rig(fresh.store);
  old.counters.opened(0, 30);
  assert.equal(old.conflicts, [30]);
  old.send('b');
  assert.equal(await old.sent(), ['31: b']);
});

test('what a server had taken in for an earlier store and lost is no broken word', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 17);
  rig.send('a');
  assert.equal(await rig.sent(), ['18: a']);
  rig.counters.disconnected();
  rig.counters.opened(0, 15);
  assert.equal(await rig.sent(), ['16: a']);
  rig.receipts(16, 16);
  await turn();
  assert.equal(rig.results, ['a at 16']);
  const next = new Rig(rig.store);
  next.counters.opened(0, 16);
  next.send('b');
  assert.equal(await next.sent(), ['17: b']);
  assert.throws(
    () => rig.counters.opened(0, 15),
    (error: CountersignError) => error.code === 'verification-failed',
  );
});

test('a store that was told of counters which the server lost goes on behind what is left', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 17);
  await turn();
  const next = new Rig(rig.store);
  next.counters.opened(0, 15);
  next.send('a');
  assert.equal(await next.sent(), ['16: a']);
  assert.equal(next.conflicts, []);
});

test('a counter in conflict rejects its message and is not used again', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a', 'b');
  await rig.sent();
  rig.refuse('counter-conflict', 1, 1);
  assert.equal(rig.results, ['a counter-conflict']);
  assert.equal(rig.conflicts, [1]);
  rig.refuse('counter-gap', 2, 1);
  assert.equal(await rig.sent(), ['2: b']);
});

test('only what was sent with a counter may be in the chain under it', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a');
  await turn();
  assert.not(rig.counters.matches(1, new Uint8Array(32), 0));
  assert.not(rig.counters.matches(2, new Uint8Array(32), 0));
});

test('what lies in a gap of the chain is asked for, rejected, and does not stop what lies behind', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a', 'b', 'c');
  assert.equal(await rig.sent(), ['1: a b c']);
  rig.counters.disconnected();
  rig.counters.opened(0, 3);
  assert.equal(await rig.sent(), [], 'what the server knows is not sent again …');
  rig.sender.lose(5);
  assert.equal(await rig.sent(), ['1: a b c'], '… but to learn where it is');
  rig.sender.placed(1, { epoch: 4, inbox: 0, index: 0 });
  rig.sender.placed(2, { epoch: 6, inbox: 0, index: 0 });
  await turn();
  assert.equal(rig.results, ['a receipt-lost']);
  rig.counters.disconnected();
  rig.counters.opened(0, 3);
  assert.equal(await rig.sent(), ['2: b c'], 'what is not known yet is asked for again');
  rig.refuse('busy', 2, 2, 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(await rig.sent(), ['2: b c']);
  rig.receipts(3, 3);
  rig.send('d');
  assert.equal(await rig.sent(), ['4: d']);
  assert.equal(rig.results, ['a receipt-lost', 'b receipt-lost', 'c at 3']);
});

test('asked about a gap, what is under way is not sent twice: one copy could be taken in, the other refused', async () => {
  const rig = new Rig();
  rig.counters.opened(0, 0);
  rig.send('a', 'b');
  assert.equal(await rig.sent(), ['1: a b']);
  rig.counters.disconnected();
  rig.counters.opened(0, 2);
  rig.send('c');
  assert.equal(await rig.sent(), ['3: c']);
  rig.sender.lose(5);
  assert.equal(await rig.sent(), ['1: a b']);
  rig.send('d');
  assert.equal(await rig.sent(), ['4: d']);
  rig.sender.placed(1, { epoch: 4, inbox: 0, index: 0 });
  rig.sender.placed(2, { epoch: 5, inbox: 0, index: 0 });
  rig.sender.placed(3, { epoch: 6, inbox: 0, index: 0 });
  await turn();
  rig.receipts(3, 3);
  await turn();
  assert.equal(rig.results, ['a receipt-lost', 'b receipt-lost', 'c at 3']);
});

test('without proof: places in the order of sending, asked for again, a new life included', async () => {
  const store = new MemoryStore();
  const first = new Rig(store, 8, 100, false);
  first.counters.opened(0, 0);
  first.send('a', 'b', 'c', 'd');
  assert.equal(await first.sent(), ['1: a b c d']);
  first.sender.placed(1, PLACE);
  await turn();
  assert.equal(first.results, ['a at 1']);
  first.counters.disconnected();
  first.counters.opened(0, 3);
  assert.equal(await first.sent(), ['2: b c d'], 'b and c for their places, d because it is not there');
  first.sender.placed(3, PLACE);
  await turn();
  assert.equal(first.results, ['a at 1']);
  first.sender.placed(2, PLACE);
  await turn();
  assert.equal(first.results, ['a at 1', 'b at 2', 'c at 3']);
  const second = new Rig(store, 8, 100, false);
  second.counters.opened(0, 4);
  second.send('e');
  assert.equal(await second.sent(), ['4: d e']);
  second.refuse('counter-expired', 4, 1);
  second.sender.placed(5, PLACE);
  await turn();
  assert.equal(second.results, ['e at 5']);
  assert.equal(second.conflicts, []);
});

test('without proof: what is asked about and refused as if it were new leaves nobody waiting', async () => {
  const rig = new Rig(new MemoryStore(), 8, 100, false);
  rig.counters.opened(0, 0);
  rig.send('a', 'B', 'c', 'd');
  assert.equal(await rig.sent(), ['1: a B c d']);
  rig.counters.disconnected();
  rig.counters.opened(0, 4);
  assert.equal(await rig.sent(), ['1: a B c d']);
  rig.sender.placed(1, PLACE);
  rig.refuse('mailbox-full', 2, 1, 60_000, other);
  rig.refuse('counter-gap', 3, 2);
  assert.equal(await rig.sent(), ['3: c d']);
  rig.sender.placed(3, PLACE);
  rig.sender.placed(4, PLACE);
  await turn();
  assert.equal(rig.results, ['a at 1', 'B receipt-lost', 'c at 3', 'd at 4']);
});

test('receipts that are delayed come as events', async () => {
  const rig = new Rig(new MemoryStore(), 1);
  rig.counters.opened(0, 0);
  rig.send('a', 'b');
  await rig.sent();
  rig.sender.delay(new CountersignError('receipt-delayed', ''));
  assert.equal(rig.results, ['a receipt-delayed', 'b receipt-delayed']);
  rig.receipts(1, 1);
  assert.equal(await rig.sent(), ['2: b']);
  rig.receipts(2, 2);
  await turn();
  assert.is(rig.late, 2);
});

test.run();
