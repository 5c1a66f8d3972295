/** What a mailbox acknowledges is without a hole, whatever order the application takes, and whenever it crashes. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Mailbox } from '../src/client/mailbox.js';
import type { Message } from '../src/client/message.js';
import type { Participant, Persister } from '../src/client/persister.js';
import { type Change, MemoryStore } from '../src/client/store.js';
import type { VerifiedLink } from '../src/client/verifier.js';
import { ENTRY_KIND, MAILBOX_KIND } from '../src/protocol/index.js';
import { named } from './worlds.js';

const test = suite('client cursor');
const id = Uint8Array.from(named('cursor'));
const own = { matches: () => true, receipt() {}, lose() {} };
const headOf = (epoch: number) => Uint8Array.from(named(`cursor head ${epoch}`));

/** A server's side of one mailbox: so many messages in each epoch. */
class History {
  /** Through this epoch the owner has acknowledged. */
  acknowledged = 0;

  constructor(readonly sizes: readonly number[]) {}

  chainAt(epoch: number) {
    const total = this.sizes.slice(0, epoch).reduce((sum, size) => sum + size, 0);
    return { lastEpoch: epoch, total, head: headOf(epoch) };
  }

  link(epoch: number): VerifiedLink {
    const entries = Array.from({ length: this.sizes[epoch - 1]! }, (_, index) => ({
      kind: ENTRY_KIND.received,
      inbox: 0,
      index,
      sender: named('somebody'),
      counter: 1,
      body: new Uint8Array(0),
      envelope: new Uint8Array(0),
    }));
    const next = {
      mailbox: id,
      chain: this.chainAt(epoch),
      asOf: epoch,
      ownCounter: 0,
      acknowledged: 0,
      own,
    };
    return {
      kind: MAILBOX_KIND.link,
      slot: 0,
      next,
      entries,
      own: 0,
      mailbox: id,
      before: this.chainAt(epoch - 1),
      delivery: { epochLeaf: { epoch } },
    } as unknown as VerifiedLink;
  }
}

/** One life of the client after another, on one store. */
class Lives {
  private readonly store = new MemoryStore();
  private participant: Participant | null = null;
  private mailbox!: Mailbox;
  private delivered = 0;
  /** Shown in this life and not acknowledged. */
  private shown: Message[] = [];
  private readonly taken = new Set<string>();
  private lastShown = -1;

  constructor(private readonly history: History) {
    this.restart();
  }

  /** The process ends here: what is not saved is gone. */
  restart(): void {
    this.participant = null;
    this.shown = [];
    this.lastShown = -1;
    const persister = { mark: (each: Participant) => (this.participant = each) } as unknown as Persister;
    this.mailbox = new Mailbox(id, 'm', this.store.load().mailboxes.get('m'), own, persister, {
      show: (messages) => this.show(messages),
      acknowledge: (epoch) => this.isWhole(epoch, Number.POSITIVE_INFINITY) && this.tell(epoch),
      stood: () => {},
      gap: () => assert.unreachable('nothing was acknowledged elsewhere'),
    });
    this.connect();
  }

  connect(): void {
    this.tell(this.mailbox.offer());
    this.mailbox.opened({ error: 0, lastCounter: 0, ...this.history.chainAt(this.history.acknowledged) });
    this.delivered = this.history.acknowledged;
  }

  private tell(epoch: number): void {
    this.isWhole(epoch, Number.POSITIVE_INFINITY);
    this.history.acknowledged = Math.max(this.history.acknowledged, epoch);
  }

  /** Every message through this one has been taken by the application. */
  private isWhole(epoch: number, index: number): boolean {
    for (let e = 1; e <= epoch; e++)
      for (let i = 0; i < this.history.sizes[e - 1]! && (e < epoch || i <= index); i++)
        assert.ok(this.taken.has(`${e}.${i}`), `${epoch} is acknowledged, ${e}.${i} is not`);
    return true;
  }

  private show(messages: readonly Message[]): void {
    for (const message of messages) {
      const { epoch, index } = message.place;
      const at = epoch * 1000 + index;
      assert.ok(at > this.lastShown, 'in order, each once in a life');
      this.lastShown = at;
      this.shown.push(message);
    }
  }

  deliver(): void {
    if (this.delivered === this.history.sizes.length) return;
    this.mailbox.takeLink(this.history.link(++this.delivered), false);
  }

  acknowledge(which: number): void {
    const [message] = this.shown.splice(which % Math.max(1, this.shown.length), 1);
    if (!message) return;
    this.taken.add(`${message.place.epoch}.${message.place.index}`);
    message.ack();
  }

  save(): void {
    const { participant } = this;
    this.participant = null;
    if (!participant) return;
    const changes: Change[] = [];
    participant.changes(changes);
    this.store.save(changes);
    const { acknowledged, place } = this.store.load().mailboxes.get('m')!.chain!;
    this.isWhole(acknowledged.lastEpoch, Number.POSITIVE_INFINITY);
    this.isWhole(place.epoch, place.index);
    participant.saved();
  }

  /** Everything is delivered and taken: then everything is acknowledged. */
  finish(): void {
    for (const _ of this.history.sizes) this.deliver();
    this.save();
    while (this.shown.length > 0) this.acknowledge(1);
    this.save();
    this.save();
    assert.is(this.taken.size, this.history.chainAt(this.history.sizes.length).total);
    assert.is(this.history.acknowledged, this.history.sizes.length);
  }
}

test('acknowledging out of order, over reconnects and crashes, never passes a hole', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('acknowledge' as const), which: fc.nat(50) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('deliver' as const, 'save' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('connect' as const, 'restart' as const) }) },
  );
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(sizes, fc.array(step, { maxLength: 120 }), (sizes, steps) => {
      const lives = new Lives(new History(sizes));
      for (const step of steps) {
        if (step.do === 'acknowledge') lives.acknowledge(step.which);
        else lives[step.do]();
      }
      lives.finish();
    }),
    { numRuns: 500 },
  );
});

test.run();
