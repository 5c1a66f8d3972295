/**
 * Sender: one key's messages on their way to the order.
 *
 * 1. A message gets its counter when there is room in the window; it is durable before it is sent.
 * 2. What the server has taken in is never numbered again; what it has refused is, consecutively, once
 *    everything in flight is answered. What it has refused for good is told when the store has forgotten it,
 *    or the store's next life would send it.
 * 3. A receipt comes from the verified chain alone, in the order of the counters. `placed` is a hint:
 *    it says that a counter is taken in, nothing else. Only who asked for no more is answered with it.
 * 4. A message whose proof does not come any more, as `placed` says, is rejected with `receipt-lost`.
 */
import {
  type BundleHasher,
  BundleView,
  CountersignError,
  type ErrorFrame,
  type Place,
  sameBytes,
} from '../protocol/index.js';
import type { Counters, Sending } from './counters.js';
import { type Answer, InFlight, Outgoing } from './in-flight.js';
import type { Receipt, UnprovenPlace } from './message.js';
import { makeBundle, type SendOptions } from './outgoing-bundle.js';
import { MIN_BUSY_MS, reasonOf, type SenderOptions } from './sender-options.js';
import type { Change } from './store.js';

export class Sender implements Sending {
  readonly items = new InFlight();
  private waiting: Outgoing[] = [];
  /** Highest counter that the server has taken in, as far as is known. */
  private taken: number;
  /** Highest counter sent on this connection. */
  private sent: number;
  /** Something was refused: nothing new is sent until all in flight is answered. */
  private recovering = false;
  private retryMs = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  // What is durable: counters through `stored`; `rewrite` is the lowest one that has changed since.
  private stored: number;
  private storing = 0;
  private rewrite = Number.MAX_SAFE_INTEGER;
  /** Through this epoch the chain proves nothing any more … */
  private lostThrough = 0;
  /** … and of the messages through this counter it is not known whether they lie there. */
  private unsure = 0;
  /** The lowest counter that the server knows and is to be asked about again. */
  private askFrom = Number.MAX_SAFE_INTEGER;
  private readonly cursor = new BundleView();

  /** `bundles`: those without receipt that the store holds. */
  constructor(
    private readonly counters: Counters,
    private readonly options: SenderOptions,
    private readonly hasher: BundleHasher,
    bundles: readonly Uint8Array[],
  ) {
    for (const bundle of bundles) this.take(new Outgoing(bundle, null, null));
    this.stored = counters.next - 1;
    // Where a session is open, the server knows just these: what it knew beyond is used elsewhere.
    this.taken = counters.receipted;
    this.sent = this.taken;
  }

  // ---- sending

  send(
    options: SendOptions,
    resolve: (answer: Answer) => void,
    reject: (error: unknown) => void,
  ): () => void {
    const item = new Outgoing(makeBundle(options, this.options.policy), resolve, reject);
    this.add(item);
    return () => this.withdraw(item);
  }

  /** Rejects the message with `busy` when too many are waiting. */
  add(item: Outgoing): void {
    if (this.waiting.length === 0 && this.hasRoom()) {
      this.take(item);
      this.counters.mark();
    } else if (this.waiting.length < this.options.maxQueued) {
      this.waiting.push(item);
    } else {
      item.reject?.(new CountersignError('busy', `${this.waiting.length} are waiting already`));
    }
  }

  /** Nobody waits for a message any more: takes it back if it has no counter yet. */
  private withdraw(item: Outgoing): void {
    item.leave();
    const at = this.waiting.indexOf(item);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  /** Receipts do not come for now: who waits for one is told, and the messages go on. */
  delay(error: CountersignError): void {
    for (const item of [...this.items.all(), ...this.waiting]) {
      item.reject?.(error);
      item.leave();
    }
  }

  private hasRoom(): boolean {
    const { window, windowBytes } = this.options;
    return !this.recovering && this.items.count < window && this.items.bytes < windowBytes;
  }

  private take(item: Outgoing): void {
    this.number(item, this.counters.next++);
    this.items.push(item);
  }

  private number(item: Outgoing, counter: number): void {
    item.counter = counter;
    item.refused = false;
    item.hash = new Uint8Array(32);
    this.cursor.jump(item.bundle, 0, item.bundle.length);
    this.hasher.sender(this.counters.id, 0);
    this.hasher.bundle(counter, this.cursor, item.hash, 0);
  }

  private admit(): void {
    let admitted = 0;
    while (admitted < this.waiting.length && this.hasRoom()) this.take(this.waiting[admitted++]!);
    if (admitted === 0) return;
    this.waiting = this.waiting.slice(admitted);
    this.counters.mark();
  }

  private transmit(): void {
    if (!this.counters.connected || this.recovering || this.sent >= this.stored) return;
    this.submit(this.sent + 1, this.stored);
    this.sent = this.stored;
  }

  private submit(from: number, through: number): void {
    const { bundlesPerFrame } = this.options.policy;
    this.counters.host.submit(this.items.frames(this.counters.slot, from, through, bundlesPerFrame));
  }

  // ---- the connection

  opened(last: number): void {
    this.stopRetry();
    this.recovering = false;
    this.taken = last;
    this.sent = last;
    // What the server knows is sent again only to learn its place.
    const asks = !this.options.proven || this.counters.receipted < this.unsure;
    this.askFrom = asks ? this.counters.receipted + 1 : Number.MAX_SAFE_INTEGER;
    this.renumber();
  }

  /** The chain through this epoch does not come any more: asks the server what of ours lies there. */
  lose(through: number): void {
    if (this.items.count === 0) return;
    this.lostThrough = through;
    this.unsure = this.counters.next - 1;
    this.askFrom = this.counters.receipted + 1;
    if (!this.counters.connected || this.recovering) return;
    // What is under way will be answered: of two copies one could be taken in, and the refusal of the other believed.
    this.submit(this.askFrom, this.taken);
    this.askFrom = Number.MAX_SAFE_INTEGER;
  }

  /** Goes on sending behind what is taken in, or from what is to be asked about again. */
  private rewind(): void {
    this.sent = Math.min(this.sent, this.taken, this.askFrom - 1);
    this.askFrom = Number.MAX_SAFE_INTEGER;
  }

  forget(error: CountersignError | null): void {
    for (const item of this.items.clear()) if (error) item.reject?.(error);
  }

  disconnected(): void {
    this.stopRetry();
  }

  private stopRetry(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.retryMs = 0;
  }

  /** Durable messages are sent in the store's next life. */
  stop(error: CountersignError): void {
    this.delay(error);
    this.waiting = [];
  }

  // ---- answers

  /** A hint that counters through this one are taken in, this one at a place. */
  placed(counter: number, place: Place): void {
    this.takenIn(counter);
    const { proven } = this.options;
    if (!proven) this.answered(counter, (item) => item.unproven(place));
    else if (counter <= this.unsure && place.epoch <= this.lostThrough) this.lost(counter);
    if (this.recovering) this.recover();
  }

  private takenIn(counter: number): void {
    if (counter > this.taken && counter <= this.sent) this.taken = counter;
  }

  /** Without proof: messages are done with in order, as their bundles leave the store in order. */
  private answered(counter: number, answer: (item: Outgoing) => UnprovenPlace | CountersignError): void {
    const found = this.items.find(counter);
    if (!found || counter > this.taken) return;
    found.answer ??= answer(found);
    for (let item = this.items.first; item?.answer; item = this.items.first) {
      this.counters.receipted = this.items.shift().counter;
      this.counters.resolve(item, item.answer);
    }
    this.admit();
    this.counters.mark();
  }

  /** No receipt will come for what is left through this counter. */
  private lost(counter: number): void {
    const error = new CountersignError('receipt-lost', 'the proof of this message does not come any more');
    for (let item = this.items.first; item && item.counter <= counter; item = this.items.first) {
      this.counters.receipted = this.items.shift().counter;
      this.counters.resolve(item, error);
    }
    this.admit();
    this.counters.mark();
  }

  /** A counter so old that the server knows neither its hash nor its place any more. */
  private expired(from: number, through: number, reason: CountersignError): void {
    this.takenIn(through);
    if (!this.options.proven)
      for (const { counter } of this.items.between(from, through)) this.answered(counter, () => reason);
    else if (this.counters.receipted < this.unsure) this.lost(Math.min(through, this.unsure));
    if (this.recovering) this.recover();
  }

  /** The counter that an error expects is not used: only what is placed is known to be taken in. */
  refused(error: ErrorFrame): void {
    const reason = reasonOf(error);
    const { code } = reason;
    const last = error.firstCounter + error.count - 1;
    if (code === 'counter-expired') return this.expired(error.firstCounter, last, reason);
    for (const item of this.items.between(error.firstCounter, last)) {
      if (item.counter > this.sent) break;
      if (code === 'counter-conflict') this.inConflict(item, reason);
      else if (item.counter <= this.taken) this.refusedAgain(item, reason);
      else if (code === 'mailbox-full')
        this.items.giveUp(item, error.mailbox, this.counters.id, this.cursor, reason);
      else if (!reason.temporary) item.hopeless = reason;
      item.refused = true;
    }
    this.recovering = true;
    if (code === 'busy') this.retryMs = Math.max(this.retryMs, error.retryAfterMs, MIN_BUSY_MS);
    this.recover();
  }

  /** The counter is used, by whomever. */
  private inConflict(item: Outgoing, reason: CountersignError): void {
    this.counters.host.conflict(item.counter, reason);
    item.reject?.(reason);
    item.leave();
    this.expired(item.counter, item.counter, reason);
  }

  /** Asked about, what was taken in is refused like anything new: what says nothing of it is asked again. */
  private refusedAgain({ counter }: Outgoing, { code, message, temporary }: CountersignError): void {
    if (temporary && code !== 'mailbox-full') this.askFrom = Math.min(this.askFrom, counter);
    else this.expired(counter, counter, new CountersignError('receipt-lost', message));
  }

  /** Once everything in flight is answered, what was refused is numbered and sent again. */
  private recover(): void {
    if (this.retry !== undefined) return;
    if (this.items.between(this.taken + 1, this.sent).some(({ refused }) => !refused)) return;
    const again = () => {
      this.stopRetry();
      this.recovering = false;
      this.renumber();
    };
    if (this.retryMs > 0) this.retry = setTimeout(again, this.retryMs);
    else again();
  }

  /** Gives what the server has not taken in the counters from `taken` on, without a hole. */
  private renumber(): void {
    for (const item of this.items.dropHopeless(this.taken)) {
      this.rewrite = Math.min(this.rewrite, item.counter);
      this.counters.resolve(item, item.hopeless!);
    }
    let counter = this.taken + 1;
    for (const item of this.items.from(counter)) {
      item.refused = false;
      if (item.counter !== counter) {
        this.number(item, counter);
        this.rewrite = Math.min(this.rewrite, counter);
      }
      counter++;
    }
    this.counters.next = counter;
    this.stored = Math.min(this.stored, this.rewrite - 1, this.counters.next - 1);
    this.rewind();
    this.admit();
    this.counters.mark();
  }

  // ---- receipts

  matches(counter: number, hash: Uint8Array, at: number): boolean {
    const item = this.items.find(counter);
    return item !== undefined && sameBytes(item.hash, 0, hash, at, 32);
  }

  receipt(counter: number, receipt: Receipt): void {
    // A chain that goes on behind a gap: what came before has no receipt any more.
    if (this.items.first && this.items.first.counter < counter) this.lost(counter - 1);
    const item = this.items.first?.counter === counter ? this.items.shift() : null;
    this.counters.receipted = counter;
    if (counter > this.taken) this.taken = counter;
    if (counter > this.sent) this.sent = counter;
    if (item) this.counters.resolve(item, receipt);
    if (this.recovering) this.recover();
    else this.admit();
  }

  // ---- saving

  changes(out: Change[]): void {
    const { hex, next, receipted } = this.counters;
    this.storing = next - 1;
    const first = Math.max(receipted + 1, Math.min(this.rewrite, this.stored + 1));
    if (first >= next && this.rewrite > next) return;
    const bundles = this.items.from(first).map((item) => item.bundle);
    out.push({ type: 'submitted', mailbox: hex, first, bundles });
    this.rewrite = Number.MAX_SAFE_INTEGER;
  }

  saved(): void {
    // Renumbered meanwhile: then only what lies below is as it was saved.
    this.stored = Math.max(this.stored, Math.min(this.storing, this.rewrite - 1));
    this.transmit();
  }
}
