/**
 * Counters: which of a key's counters are used, and who is told what once that is saved. All that a mailbox needs
 * whose owner sends nothing: without a sender, counters through `receipted` are known and higher ones are not ours.
 * Who sends has a sender (sender.ts), which numbers its messages here.
 */
import type { Identity } from '#crypto';
import { CountersignError, type ErrorFrame, type Place } from '../protocol/index.js';
import type { Answer, Resolved } from './in-flight.js';
import type { MailboxSender } from './mailbox.js';
import type { Receipt } from './message.js';
import type { SendOptions } from './outgoing-bundle.js';
import type { Participant, Persister } from './persister.js';
import type { SenderHost } from './sender-options.js';
import type { Change, SavedMailbox } from './store.js';
import { VerificationError } from './verification-error.js';

/** A sender, as the part of the client sees it that is there without one. */
export interface Sending {
  /** Returns how the message is taken back. */
  send(options: SendOptions, resolve: (answer: Answer) => void, reject: (error: unknown) => void): () => void;
  opened(last: number): void;
  disconnected(): void;
  /** All in flight is void: its counters are used elsewhere. The error is null in a new store. */
  forget(error: CountersignError | null): void;
  placed(counter: number, place: Place): void;
  refused(error: ErrorFrame): void;
  delay(error: CountersignError): void;
  stop(error: CountersignError): void;
  matches(counter: number, hash: Uint8Array, at: number): boolean;
  /** Of a counter above `receipted`. */
  receipt(counter: number, receipt: Receipt): void;
  lose(through: number): void;
  /** Adds what must be saved; `saved`: that is durable, and who waits was told. */
  changes(out: Change[]): void;
  saved(): void;
}

export class Counters implements Participant, MailboxSender {
  /** Highest counter that is done with: it has its receipt, or will have none. */
  receipted: number;
  /** Through this counter that is the server's word: what it has taken in for others may be lost in a crash of it. */
  private unproven: number;
  /** Counter of the next message. */
  next: number;
  slot = 0;
  connected = false;
  sender: Sending | null = null;
  marked = false;
  private isNew: boolean;
  private stored: number;
  private resolved: Resolved[] = [];
  private resolving: readonly Resolved[] = [];

  constructor(
    readonly identity: Identity,
    readonly hex: string,
    saved: SavedMailbox | undefined,
    private readonly persister: Persister,
    readonly host: SenderHost,
  ) {
    this.isNew = !saved;
    this.next = saved?.firstCounter ?? 1;
    // What the store says of it is in the chain.
    this.receipted = this.stored = this.unproven = this.next - 1;
  }

  mark(): void {
    this.persister.mark(this);
  }

  // ---- the connection

  /** The front knows all counters through `last`. Throws `VerificationError` when it has forgotten one. */
  opened(slot: number, last: number): void {
    if (last < this.receipted) {
      if (this.unproven < this.receipted)
        throw new VerificationError('resume', 'the server has forgotten a counter');
      this.goOnBehind(last);
    }
    this.slot = slot;
    this.connected = true;
    if (last >= this.next) this.usedElsewhere(last);
    this.isNew = false;
    this.sender?.opened(last);
  }

  private goOnBehind(last: number): void {
    this.next = last + 1;
    this.receipted = this.unproven = last;
  }

  /** Counters are gone that this store knows nothing of: it is new, or older than the key. */
  private usedElsewhere(last: number): void {
    const error = this.isNew
      ? null
      : new CountersignError('counter-conflict', `counters are known through ${last}`);
    if (error) this.host.conflict(last, error);
    this.sender?.forget(error);
    this.goOnBehind(last);
    this.mark();
  }

  disconnected(): void {
    this.connected = false;
    this.sender?.disconnected();
  }

  /** Nothing more will come: what waits is told why. */
  stop(error: CountersignError): void {
    this.disconnected();
    this.sender?.stop(error);
    for (const { item } of [...this.resolving, ...this.resolved]) item?.reject?.(error);
    this.resolved = [];
  }

  // ---- receipts

  /** See `OwnMessages`: what was never sent with this counter cannot be in the chain. */
  matches(counter: number, hash: Uint8Array, at: number): boolean {
    return counter <= this.receipted || this.sender?.matches(counter, hash, at) === true;
  }

  receipt(counter: number, receipt: Receipt): void {
    if (counter > this.receipted) this.sender?.receipt(counter, receipt);
    else this.resolve(null, receipt);
    this.mark();
  }

  /** The chain through this epoch does not come any more. */
  lose(through: number): void {
    this.sender?.lose(through);
  }

  /** Tells who waits for a message once it is saved that nobody does any more. Null: this store no longer keeps it. */
  resolve(item: Resolved['item'], answer: Resolved['answer']): void {
    this.resolved.push({ item, answer });
  }

  // ---- saving

  changes(out: Change[]): void {
    if (this.receipted !== this.stored)
      out.push({ type: 'receipted', mailbox: this.hex, through: this.receipted });
    this.stored = this.receipted;
    this.resolving = this.resolved;
    this.resolved = [];
    this.sender?.changes(out);
  }

  saved(): void {
    for (const { item, answer } of this.resolving) {
      if (answer instanceof CountersignError) item?.reject?.(answer);
      else if (item?.resolve) item.resolve(answer);
      else if (answer.proven) this.host.receipt(answer);
    }
    this.resolving = [];
    this.sender?.saved();
  }
}
