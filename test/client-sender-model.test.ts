/**
 * The sender against a model of the server: random refusals, cuts, kills and slow saves. Whatever happens, a
 * message is placed once at most, in the order of sending; it is placed where its answer says, and never when
 * its answer was a refusal; and everything is answered.
 */
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { Counters } from '../src/client/counters.js';
import { Outgoing } from '../src/client/in-flight.js';
import type { Receipt } from '../src/client/message.js';
import { Persister } from '../src/client/persister.js';
import { Sender } from '../src/client/sender.js';
import { MemoryStore } from '../src/client/store.js';
import {
  BundleCursor,
  BundleHasher,
  type CountersignError,
  decodeSubmitHeader,
  ERRORS,
  type ErrorCode,
  encodeBundle,
  SUBMIT_HEADER_BYTES,
  toHex,
  ZERO_HASH,
} from '../src/protocol/index.js';
import { randomFrom } from './support/names.js';
import { smallPolicy } from './support/policy.js';
import { named } from './worlds.js';

const test = suite('sender model');
const id = importSecretKey(Uint8Array.from(named('sender model'))).publicKey;
const boxes = ['x', 'y', 'z'].map((name) => importSecretKey(Uint8Array.from(named(name))).publicKey);
const policy = { ...smallPolicy, bundlesPerFrame: 3 };
const hasher = new BundleHasher(new Uint8Array(32));
const cursor = new BundleCursor(policy);

/** A message as the server has it. */
interface Placed {
  readonly hash: Uint8Array;
  readonly text: string;
}

class World {
  readonly log: Placed[] = [];
  readonly answers = new Map<string, string[]>();
  readonly faults: string[] = [];
  private readonly store = new MemoryStore();
  private committed = 0;
  private proven = 0;
  private full = -1;
  private isFull: ErrorCode = 'mailbox-full';
  private life = 0;
  private connected = false;
  private frames: Uint8Array[] = [];
  private answering: (() => void)[] = [];
  private counters!: Counters;
  private senderOf!: () => Sender;

  constructor(
    private readonly below: (n: number) => number,
    private readonly withProof: boolean,
  ) {
    this.start();
    this.open();
  }

  private start(): void {
    const life = ++this.life;
    const save = async (changes: Parameters<MemoryStore['save']>[0]) => {
      for (let turns = this.below(5); turns > 0; turns--) await turn();
      if (life !== this.life) return new Promise<void>(() => {});
      this.store.save(changes);
    };
    const saved = this.store.load().mailboxes.get(toHex(id));
    this.proven = (saved?.firstCounter ?? 1) - 1;
    const persister = new Persister({ load: () => this.store.load(), save, close() {} }, (error) =>
      this.faults.push(String(error)),
    );
    const options = {
      window: 6,
      windowBytes: 1 << 20,
      maxQueued: 50,
      policy,
      proven: this.withProof,
      sign: null,
    };
    const counters = new Counters({ publicKey: id, sign: () => id }, toHex(id), saved, persister, {
      submit: (frames) => {
        if (life === this.life && this.connected) this.frames.push(...frames);
      },
      receipt: () => {},
      conflict: (counter) => this.faults.push(`conflict at ${counter}`),
    });
    const make = (bundles: readonly Uint8Array[]) => {
      const sender = new Sender(counters, options, hasher, bundles);
      counters.sender = sender;
      return sender;
    };
    this.counters = counters;
    // A life that finds nothing to send has no sender before its first message, whatever came before that.
    let sender = saved?.bundles.length ? make(saved.bundles) : null;
    this.senderOf = () => {
      sender ??= make([]);
      return sender;
    };
  }

  private open(): void {
    this.connected = true;
    this.counters.opened(0, this.log.length);
  }

  /** The server still takes some of what is under way. */
  private cut(): void {
    for (let left = this.below(this.frames.length + 1); left > 0; left--) this.take();
    this.connected = false;
    this.frames = [];
    this.answering = [];
    this.counters.disconnected();
  }

  private kill(): void {
    this.cut();
    for (const answer of this.answers.values()) if (answer.length === 0) answer.push('killed');
    this.start();
  }

  private refuse(code: ErrorCode, firstCounter: number, count: number, mailbox = ZERO_HASH): void {
    const about = { slot: 0, expected: 0, retryAfterMs: 0, text: code, mailbox };
    const error = { number: ERRORS[code].number, firstCounter, count, ...about };
    this.answering.push(() => this.counters.sender?.refused(error));
  }

  private place(counter: number): void {
    this.answering.push(() => this.counters.sender?.placed(counter, { epoch: counter, inbox: 0, index: 0 }));
  }

  /** The server takes a frame. */
  private take(): void {
    const frame = this.frames.shift();
    if (!frame) return;
    const { firstCounter, count } = decodeSubmitHeader(frame);
    const last = firstCounter + count - 1;
    if (this.below(12) === 0) return this.refuse('busy', firstCounter, count);
    let at = SUBMIT_HEADER_BYTES;
    for (let counter = firstCounter; counter <= last; counter++) {
      at = cursor.parse(frame, at, frame.length);
      const mailbox = frame.slice(cursor.mailboxAt(0), cursor.mailboxAt(0) + 32);
      if (this.full >= 0 && toHex(mailbox) === toHex(boxes[this.full]!)) {
        this.refuse(this.isFull, counter, 1, mailbox);
        if (counter < last) this.refuse('counter-gap', counter + 1, last - counter);
        return;
      }
      if (counter > this.log.length + 1) return this.refuse('counter-gap', counter, last - counter + 1);
      const hash = new Uint8Array(32);
      hasher.sender(id, 0);
      hasher.bundle(counter, cursor, hash, 0);
      const text = /\d+ to \d/.exec(Buffer.from(frame.subarray(0, at)).toString('latin1').slice(-9))![0];
      if (counter > this.log.length) this.log.push({ hash, text });
      else if (toHex(this.log[counter - 1]!.hash) !== toHex(hash))
        this.refuse('counter-conflict', counter, 1);
      else if (counter <= this.committed) this.place(counter);
    }
  }

  private commit(): void {
    while (this.committed < this.log.length) this.place(++this.committed);
  }

  private receipt(): void {
    if (!this.withProof || !this.connected || this.proven >= this.committed) return;
    const counter = ++this.proven;
    if (!this.counters.matches(counter, this.log[counter - 1]!.hash, 0))
      this.faults.push(`${counter} is not known`);
    this.counters.receipt(counter, { proven: true, counter } as Receipt);
  }

  private send(): void {
    const to = this.below(boxes.length);
    const text = `${this.answers.size} to ${to}`;
    const answer: string[] = [];
    this.answers.set(text, answer);
    const recipient = { mailbox: boxes[to]!, envelope: new Uint8Array(0) };
    this.senderOf().add(
      new Outgoing(
        encodeBundle([recipient], Uint8Array.from(Buffer.from(text)), new Uint8Array(32)),
        ({ counter }) => answer.push(`at ${counter}`),
        (error) => answer.push((error as CountersignError).code),
      ),
    );
  }

  async run(steps: number): Promise<void> {
    const often = [() => this.send(), () => this.take(), () => this.answering.shift()?.(), turn];
    const seldom = [() => this.cut(), () => this.kill(), () => wait(25), () => this.fill()];
    for (let step = 0; step < steps; step++) {
      const kind = this.below(16);
      if (kind < 12) await often[kind % 4]!();
      else if (kind < 14) this.receipt();
      else if (kind < 15) this.commit();
      else await seldom[this.below(4)]!();
      if (!this.connected && this.below(4) === 0) this.open();
    }
    this.full = -1;
    if (!this.connected) this.open();
    const isOpen = () => [...this.answers.values()].some((answer) => answer.length === 0);
    for (let round = 0; round < 200 && isOpen(); round++) {
      while (this.frames.length > 0) this.take();
      this.commit();
      for (const answer of this.answering.splice(0)) answer();
      for (let i = 0; i < 100; i++) this.receipt();
      await wait(5);
    }
  }

  private fill(): void {
    this.full = this.below(boxes.length + 1) - 1;
    this.isFull = this.below(3) === 0 ? 'no-such-mailbox' : 'mailbox-full';
  }

  check(): void {
    assert.equal(this.faults, []);
    const numbers = this.log.map(({ text }) => Number.parseInt(text, 10));
    for (let i = 1; i < numbers.length; i++) assert.ok(numbers[i]! > numbers[i - 1]!, 'in order, and once');
    for (const [text, [answer = 'nothing', ...more]] of this.answers) {
      const counter = this.log.findIndex((placed) => placed.text === text) + 1;
      assert.equal(more, []);
      if (/^at /.test(answer)) assert.is(answer, `at ${counter}`);
      else if (answer === 'receipt-lost') assert.ok(counter > 0);
      else if (answer !== 'killed') assert.is(`${counter} ${answer}`, `0 ${answer}`);
      assert.is.not(answer, 'nothing');
    }
  }
}

function below(seed: number): (n: number) => number {
  const random = randomFrom(seed);
  return (n) => Math.floor(random() * n);
}

test('placed once at most, in order, as answered, and always answered', async () => {
  const worlds = Array.from({ length: 120 }, (_, seed) => new World(below(seed + 1), seed % 2 === 0));
  await Promise.all(worlds.map((world, seed) => world.run(300 + seed)));
  for (const world of worlds) world.check();
  const answers = worlds.flatMap((world) => [...world.answers.values()].flat());
  for (const some of [/^at/, /mailbox-full/, /no-such-mailbox/, /killed/])
    assert.ok(answers.filter((answer) => some.test(answer)).length > 20, `${some}`);
});

test.run();
