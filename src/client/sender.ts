/**
 * Sender: one key's messages on their way to the order.
 *
 * 1. A message gets its counter when there is room in the window; it is durable before it is sent.
 * 2. What the server has taken in is never numbered again; what it has refused is, consecutively, once
 *    everything in flight is answered.
 * 3. A receipt comes from the verified chain alone, in the order of the counters. `placed` is a hint:
 *    it says that a counter is taken in, nothing else.
 */
import {
  BundleCursor,
  CountersignError,
  ERRORS,
  type ErrorFrame,
  encodeSubmit,
  equalBytes,
  errorCode,
  type MessageHasher,
  type Policy,
  sameBytes,
  toHex,
  ZERO_HASH,
} from '../protocol/index.js';
import type { Receipt } from './message.js';
import { Outgoing } from './outgoing.js';
import type { Participant, Persister } from './persister.js';
import type { Change, SavedMailbox } from './store.js';
import { VerificationError } from './verification-error.js';
import type { OwnMessages } from './verifier.js';

export interface SenderOptions {
  /** Messages without receipt that may be under way. */
  readonly window: number;
  /** Their bytes. */
  readonly windowBytes: number;
  /** Messages that may wait for room in the window. */
  readonly maxQueued: number;
  readonly policy: Policy;
}

/** What a sender tells the rest of the client. */
export interface SenderHost {
  submit(frames: readonly Uint8Array[]): void;
  /** Of a message that was sent in an earlier life of the store: nobody waits for it. */
  lateReceipt(receipt: Receipt): void;
  /** This counter was used for another message: the key is in use elsewhere, or was restored. */
  conflict(counter: number, error: CountersignError): void;
}

/** A server that is busy is left alone for so long at least. */
const MIN_BUSY_MS = 20;
/** A submit frame is closed once it is longer. */
const FRAME_TARGET = 128 << 10;

export class Sender implements Participant {
  private items: Outgoing[] = [];
  private waiting: Outgoing[] = [];
  private bytes = 0;
  /** Highest counter with a receipt. */
  private receipted: number;
  /** Counter of the next message. */
  private next: number;
  /** Highest counter that the server has taken in, as far as is known. */
  private taken: number;
  /** Highest counter sent on this connection. */
  private sent: number;
  private slot = 0;
  private connected = false;
  private isNew: boolean;
  /** Something was refused: nothing new is sent until all in flight is answered. */
  private recovering = false;
  private retryMs = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  // What is durable: counters through `stored`; `rewrite` is the lowest one that has changed since.
  private stored: number;
  private storing = 0;
  private rewrite = Number.MAX_SAFE_INTEGER;
  private storedReceipted: number;
  private changed = false;
  private resolved: { readonly item: Outgoing; readonly receipt: Receipt }[] = [];
  private resolving: { readonly item: Outgoing; readonly receipt: Receipt }[] = [];
  private readonly cursor: BundleCursor;

  constructor(
    readonly id: Uint8Array,
    readonly hex: string,
    saved: SavedMailbox | undefined,
    private readonly options: SenderOptions,
    private readonly hasher: MessageHasher,
    private readonly persister: Persister,
    private readonly host: SenderHost,
  ) {
    this.isNew = !saved?.chain;
    this.cursor = new BundleCursor(options.policy);
    this.next = saved?.firstCounter ?? 1;
    this.receipted = this.next - 1;
    for (const bundle of saved?.bundles ?? []) this.take(new Outgoing(bundle, null, null));
    this.stored = this.next - 1;
    this.storedReceipted = this.receipted;
    this.taken = this.receipted;
    this.sent = this.receipted;
  }

  // ---- sending

  /** Rejects the message with `busy` when too many are waiting. */
  add(item: Outgoing): void {
    if (this.waiting.length === 0 && this.hasRoom()) {
      this.take(item);
      this.touch();
    } else if (this.waiting.length < this.options.maxQueued) {
      this.waiting.push(item);
    } else {
      item.reject?.(new CountersignError('busy', `${this.waiting.length} messages are waiting already`));
    }
  }

  /** Takes a message back that has no counter yet. */
  withdraw(item: Outgoing): void {
    const at = this.waiting.indexOf(item);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  private hasRoom(): boolean {
    const { window, windowBytes } = this.options;
    return !this.recovering && this.items.length < window && this.bytes < windowBytes;
  }

  private take(item: Outgoing): void {
    this.number(item, this.next++);
    this.items.push(item);
    this.bytes += item.bundle.length;
  }

  private number(item: Outgoing, counter: number): void {
    item.counter = counter;
    item.refused = false;
    item.hash = new Uint8Array(32);
    this.cursor.parse(item.bundle, 0, item.bundle.length);
    this.hasher.sender(this.id, 0);
    this.hasher.bundle(counter, this.cursor, item.hash, 0);
  }

  private admit(): void {
    let admitted = 0;
    while (admitted < this.waiting.length && this.hasRoom()) this.take(this.waiting[admitted++]!);
    if (admitted === 0) return;
    this.waiting = this.waiting.slice(admitted);
    this.touch();
  }

  private transmit(): void {
    if (!this.connected || this.recovering || this.sent >= this.stored) return;
    const frames: Uint8Array[] = [];
    const { bundlesPerFrame } = this.options.policy;
    let from = this.indexOf(this.sent + 1);
    const end = this.indexOf(this.stored + 1);
    while (from < end) {
      const bundles: Uint8Array[] = [];
      const first = this.items[from]!.counter;
      for (let bytes = 0; from < end && bundles.length < bundlesPerFrame && bytes < FRAME_TARGET; from++) {
        bundles.push(this.items[from]!.bundle);
        bytes += this.items[from]!.bundle.length;
      }
      frames.push(encodeSubmit(this.slot, first, bundles));
    }
    this.sent = this.stored;
    this.host.submit(frames);
  }

  /** Index of the first message with this counter or a higher one. */
  private indexOf(counter: number): number {
    const { items } = this;
    const guess = items.length > 0 ? counter - items[0]!.counter : 0;
    if (guess <= 0) return 0;
    if (guess < items.length && items[guess]!.counter === counter) return guess;
    if (guess >= items.length && (items.length === 0 || items[items.length - 1]!.counter < counter))
      return items.length;
    const found = items.findIndex((item) => item.counter >= counter);
    return found < 0 ? items.length : found;
  }

  // ---- the connection

  /** The front knows all counters through `last`. Throws `VerificationError` when it has forgotten one. */
  opened(slot: number, last: number): void {
    if (last < this.receipted)
      throw new VerificationError(
        'resume',
        `counter ${this.receipted} has a receipt, the server knows ${last}`,
      );
    this.stopRetry();
    this.slot = slot;
    this.connected = true;
    this.recovering = false;
    if (last >= this.next) this.usedElsewhere(last);
    this.isNew = false;
    this.taken = last;
    this.sent = last;
    this.renumber();
  }

  /** Counters are gone that this store knows nothing of: it is new, or older than the key. */
  private usedElsewhere(last: number): void {
    if (!this.isNew) {
      const error = new CountersignError('counter-conflict', `the server knows counters through ${last}`);
      this.host.conflict(last, error);
      for (const item of this.items) item.reject?.(error);
    }
    this.items = [];
    this.bytes = 0;
    this.receipted = last;
    this.next = last + 1;
    this.rewrite = this.next;
    this.touch();
  }

  disconnected(): void {
    this.connected = false;
    this.stopRetry();
  }

  private stopRetry(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.retryMs = 0;
  }

  /** Nothing more will come: what waits is told why. Durable messages are sent in the store's next life. */
  stop(error: unknown): void {
    this.disconnected();
    for (const item of [...this.items, ...this.waiting]) item.reject?.(error);
    this.items = [];
    this.waiting = [];
  }

  // ---- answers

  /** A hint that counters through this one are taken in. */
  placed(counter: number): void {
    if (counter > this.taken && counter <= this.sent) this.taken = counter;
    if (this.recovering) this.recover();
  }

  /** The counter that an error expects is not used: only what is placed is known to be taken in. */
  refused(error: ErrorFrame): void {
    const code = errorCode(error.number) ?? 'closed';
    const last = error.firstCounter + error.count - 1;
    if (code === 'counter-expired') return this.placed(last);
    const about = equalBytes(error.mailbox, ZERO_HASH) ? {} : { mailbox: toHex(error.mailbox) };
    const reason = new CountersignError(code, error.text, about);
    for (const item of this.items.slice(this.indexOf(error.firstCounter), this.indexOf(last + 1))) {
      const isTaken = item.counter <= this.taken && code !== 'counter-conflict';
      if (item.counter > this.sent || isTaken) continue;
      if (code === 'mailbox-full') this.giveUp(item, error.mailbox, reason);
      else if (ERRORS[code].temporary) item.refused = true;
      else this.drop(item, reason);
      if (code === 'counter-conflict') this.host.conflict(item.counter, reason);
    }
    // A counter in conflict is used, by whomever.
    if (code === 'counter-conflict') this.taken = Math.max(this.taken, last);
    this.recovering = true;
    if (code === 'busy') this.retryMs = Math.max(this.retryMs, error.retryAfterMs, MIN_BUSY_MS);
    this.recover();
  }

  /**
   * A mailbox may be full for days: that is for the application to decide. What is behind the refused message
   * is refused too. Of it, whatever names the mailbox goes as soon as everything in flight is answered.
   */
  private giveUp(refused: Outgoing, mailbox: Uint8Array, reason: CountersignError): void {
    for (const item of this.items.slice(this.indexOf(refused.counter))) {
      item.hopeless ||= item === refused || equalBytes(mailbox, this.id) || item.names(mailbox, this.cursor);
      if (item.hopeless) item.reject?.(reason);
    }
    refused.refused = true;
  }

  private isOver({ counter, hopeless }: Outgoing): boolean {
    return hopeless && counter > this.taken;
  }

  private drop(item: Outgoing, reason: CountersignError): void {
    this.items.splice(this.items.indexOf(item), 1);
    this.bytes -= item.bundle.length;
    this.rewrite = Math.min(this.rewrite, item.counter);
    item.reject?.(reason);
  }

  /** Once everything in flight is answered, what was refused is numbered and sent again. */
  private recover(): void {
    if (this.retry !== undefined) return;
    const unanswered = (item: Outgoing) =>
      item.counter > this.taken && item.counter <= this.sent && !item.refused;
    if (this.items.some(unanswered)) return;
    const again = () => {
      this.stopRetry();
      this.recovering = false;
      this.sent = this.taken;
      this.renumber();
    };
    if (this.retryMs > 0) this.retry = setTimeout(again, this.retryMs);
    else again();
  }

  /** Gives what the server has not taken in the counters from `taken` on, without a hole. */
  private renumber(): void {
    for (const { counter, bundle } of this.items.filter((item) => this.isOver(item))) {
      this.rewrite = Math.min(this.rewrite, counter);
      this.bytes -= bundle.length;
    }
    this.items = this.items.filter((item) => !this.isOver(item));
    let counter = this.taken + 1;
    for (let i = this.indexOf(counter); i < this.items.length; i++, counter++) {
      const item = this.items[i]!;
      item.refused = false;
      if (item.counter === counter) continue;
      this.number(item, counter);
      this.rewrite = Math.min(this.rewrite, counter);
    }
    this.next = counter;
    this.stored = Math.min(this.stored, this.rewrite - 1, this.next - 1);
    this.sent = this.taken;
    this.admit();
    this.touch();
  }

  // ---- receipts

  /** See `OwnMessages`: what was never sent with this counter cannot be in the chain. */
  readonly own: OwnMessages = {
    matches: (counter, hash, at) => {
      if (counter <= this.receipted) return true;
      const item = this.items[this.indexOf(counter)];
      return item?.counter === counter && sameBytes(item.hash, 0, hash, at, 32);
    },
  };

  receipt(counter: number, receipt: Receipt): void {
    if (counter <= this.receipted) return;
    this.receipted = counter;
    // What is before it was not in the chain that the server still has: it was away for too long.
    while (this.items[0] && this.items[0].counter < counter)
      this.drop(this.items[0], new CountersignError('counter-expired', 'taken in; its receipt is gone'));
    const item = this.items[0];
    if (item?.counter === counter) {
      this.items.shift();
      this.bytes -= item.bundle.length;
      this.resolved.push({ item, receipt });
    }
    if (counter > this.taken) this.taken = counter;
    if (counter > this.sent) this.sent = counter;
    if (this.recovering) this.recover();
    else this.admit();
    this.touch();
  }

  // ---- saving

  private touch(): void {
    if (this.changed) return;
    this.changed = true;
    this.persister.mark(this);
  }

  changes(out: Change[]): void {
    this.changed = false;
    const mailbox = this.hex;
    if (this.receipted > this.storedReceipted)
      out.push({ type: 'receipted', mailbox, through: this.receipted });
    this.storedReceipted = this.receipted;
    this.resolving = this.resolved;
    this.resolved = [];
    this.storing = this.next - 1;
    // With holes between the counters nothing is rewritten: that comes when they are closed.
    if (this.recovering) this.storing = this.stored;
    else this.changedBundles(out);
  }

  private changedBundles(out: Change[]): void {
    const first = Math.max(this.receipted + 1, Math.min(this.rewrite, this.stored + 1));
    if (first >= this.next && this.rewrite > this.next) return;
    const bundles = this.items.slice(this.indexOf(first)).map((item) => item.bundle);
    out.push({ type: 'submitted', mailbox: this.hex, first, bundles });
    this.rewrite = Number.MAX_SAFE_INTEGER;
  }

  saved(): void {
    // Renumbered meanwhile: then only what lies below is as it was saved.
    this.stored = Math.max(this.stored, Math.min(this.storing, this.rewrite - 1));
    for (const { item, receipt } of this.resolving) {
      if (item.resolve) item.resolve(receipt);
      else this.host.lateReceipt(receipt);
    }
    this.resolving = [];
    this.transmit();
  }
}
