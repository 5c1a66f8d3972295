/**
 * Preloaded into every thread of a countersign server that is measured: what each epoch costs in every stage, by a clock
 * around the stages' `handle`, the store's `write` and the like, so that the server itself has nothing that measures; and, when
 * asked, a CPU profile.
 *
 * fill: from one close to the next, while the queue fills. take: what the inbox does with submissions meanwhile. close, route,
 * merge, link: what inbox, router, receiver and outbox do with the epoch. commit: what the sequencer does to check it and to
 * hand it to the store. fsync: from there until it is on disk. ready: what the outbox does meanwhile to make deliveries
 * ready. deliver: what it does to tell of the epoch.
 */
import { Deliverer } from '../src/actors/deliverer.js';
import { Inbox } from '../src/actors/inbox.js';
import type { ActorMessage, Stage, StoreRecord } from '../src/actors/messages.js';
import { Outbox } from '../src/actors/outbox.js';
import { Receiver } from '../src/actors/receiver.js';
import { Router } from '../src/actors/router.js';
import { Sequencer } from '../src/actors/sequencer.js';
import type { SignedEpoch } from '../src/actors/signed-epoch.js';
import { TABLE } from '../src/actors/store-keys.js';
import { Store } from '../src/server/store.js';
import { Profiler } from './profile.js';
import { answerForThreads } from './threads.js';

/** Of every stage: which messages cost what. */
const HANDLED: readonly (readonly [{ prototype: Stage }, Readonly<Record<string, string>>])[] = [
  [Inbox, { submit: 'take', close: 'close' }],
  [Router, { 'inbox-batch': 'route' }],
  [Receiver, { 'router-share': 'merge' }],
  [Outbox, { 'receiver-items': 'link', committed: 'deliver' }],
  [Sequencer, { attested: 'commit' }],
];

let times: Record<string, number[]> = {};
const record = (stage: string, ms: number) => {
  times[stage] ??= [];
  times[stage].push(ms);
};

/** What one actor has spent on the epoch that is going on: messages of several inboxes or actors make one number. */
class Spent {
  private readonly ms: Record<string, number> = {};
  private readonly epochs: Record<string, number> = {};
  private closedAt = 0;

  add(stage: string, message: ActorMessage, from: number): void {
    if (message.type === 'close') this.close(from);
    const epoch = epochOf(message);
    if (epoch !== null && this.epochs[stage] !== epoch) {
      this.flush(stage);
      this.epochs[stage] = epoch;
    }
    this.ms[stage] = (this.ms[stage] ?? 0) + performance.now() - from;
  }

  private close(now: number): void {
    if (this.closedAt > 0) record('fill', now - this.closedAt);
    this.closedAt = now;
    this.flush('take');
  }

  private flush(stage: string): void {
    const ms = this.ms[stage];
    if (ms !== undefined) record(stage, ms);
    delete this.ms[stage];
  }
}

const spentBy = new WeakMap<Stage, Spent>();

/** What is submitted says no epoch: it belongs to that of the next close. */
function epochOf(message: ActorMessage): number | null {
  if ('context' in message) return message.context.epoch;
  return 'epoch' in message ? message.epoch : null;
}

function spentOf(actor: Stage): Spent {
  const known = spentBy.get(actor);
  if (known) return known;
  const spent = new Spent();
  spentBy.set(actor, spent);
  return spent;
}

for (const [{ prototype }, stages] of HANDLED) {
  const { handle } = prototype;
  prototype.handle = function timed(message: ActorMessage): void {
    const stage = stages[message.type];
    if (stage === undefined) return handle.call(this, message);
    const from = performance.now();
    handle.call(this, message);
    spentOf(this).add(stage, message, from);
  };
}

/** Epochs whose deliveries are ready: it is asked for again when they are committed. */
const ready = new WeakSet<SignedEpoch>();
const { makeReady } = Deliverer.prototype;
Deliverer.prototype.makeReady = function timed(signed: SignedEpoch): void {
  const from = performance.now();
  makeReady.call(this, signed);
  if (!ready.has(signed)) record('ready', performance.now() - from);
  ready.add(signed);
};

const { write } = Store.prototype;
Store.prototype.write = function timed(records: readonly StoreRecord[], durable: () => void): void {
  if (!records.some(({ key }) => key[0] === TABLE.log)) return write.call(this, records, durable);
  const from = performance.now();
  write.call(this, records, () => {
    record('fsync', performance.now() - from);
    durable();
  });
};

function stages(): Record<string, number[]> {
  const answer = times;
  times = {};
  return answer;
}

const profiler = new Profiler();

answerForThreads({
  stages,
  startProfile: () => profiler.start(),
  stopProfile: () => profiler.stop(),
});
