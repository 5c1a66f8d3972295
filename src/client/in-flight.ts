/** Messages under way: numbered, kept until they are done with, in the order of their counters. */
import {
  type BundleView,
  type CountersignError,
  equalBytes,
  type Place,
  sameBytes,
} from '../protocol/index.js';
import type { Receipt, UnprovenPlace } from './message.js';

export type Answer = Receipt | UnprovenPlace;

const NO_HASH = new Uint8Array(0);

/** A message that waits for its answer. */
export class Outgoing {
  counter = 0;
  refused = false;
  /** Why it goes when everything in flight is answered: it was refused for good, or names a full mailbox. */
  hopeless: CountersignError | null = null;
  hash: Uint8Array = NO_HASH;
  /** Where no proof is waited for: what came for it, while one before it has no answer. */
  answer: UnprovenPlace | CountersignError | null = null;

  constructor(
    readonly bundle: Uint8Array,
    /** Null when nobody waits. */
    public resolve: ((answer: Answer) => void) | null,
    public reject: ((error: unknown) => void) | null,
  ) {}

  /** Whether the mailbox is among its recipients. Moves the cursor. */
  names(mailbox: Uint8Array, cursor: BundleView): boolean {
    cursor.jump(this.bundle, 0, this.bundle.length);
    for (let i = 0; i < cursor.recipients; i++)
      if (sameBytes(this.bundle, cursor.mailboxAt(i), mailbox, 0, 32)) return true;
    return false;
  }

  /** Nobody waits any more: its receipt is told by an event. */
  leave(): void {
    this.resolve = null;
    this.reject = null;
  }

  unproven(place: Place): UnprovenPlace {
    return { proven: false, counter: this.counter, place, messageHash: this.hash };
  }
}

export interface Resolved {
  /** Null: of a message that this store no longer kept. */
  readonly item: Outgoing | null;
  readonly answer: Answer | CountersignError;
}

/** A submit frame is closed once it is longer. */
const FRAME_TARGET = 128 << 10;

export class InFlight {
  private items: Outgoing[] = [];
  bytes = 0;

  get count(): number {
    return this.items.length;
  }

  get first(): Outgoing | undefined {
    return this.items[0];
  }

  push(item: Outgoing): void {
    this.items.push(item);
    this.bytes += item.bundle.length;
  }

  shift(): Outgoing {
    const item = this.items.shift()!;
    this.bytes -= item.bundle.length;
    return item;
  }

  remove(item: Outgoing): void {
    this.items.splice(this.items.indexOf(item), 1);
    this.bytes -= item.bundle.length;
  }

  /** A mailbox may be full for days, so all that names it is given back, what is behind the refused one too. */
  giveUp(
    refused: Outgoing,
    mailbox: Uint8Array,
    own: Uint8Array,
    cursor: BundleView,
    reason: CountersignError,
  ): void {
    for (const item of this.from(refused.counter))
      if (item === refused || equalBytes(mailbox, own) || item.names(mailbox, cursor))
        item.hopeless ??= reason;
  }

  /** Removes what is hopeless above this counter. */
  dropHopeless(above: number): Outgoing[] {
    const dropped = this.from(above + 1).filter(({ hopeless }) => hopeless);
    for (const item of dropped) this.remove(item);
    return dropped;
  }

  clear(): Outgoing[] {
    const { items } = this;
    this.items = [];
    this.bytes = 0;
    return items;
  }

  all(): readonly Outgoing[] {
    return this.items;
  }

  find(counter: number): Outgoing | undefined {
    const item = this.items[this.indexOf(counter)];
    return item?.counter === counter ? item : undefined;
  }

  /** With these counters. */
  between(from: number, through: number): Outgoing[] {
    return this.items.slice(this.indexOf(from), this.indexOf(through + 1));
  }

  /** With this counter and higher ones. */
  from(counter: number): Outgoing[] {
    return this.items.slice(this.indexOf(counter));
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

  /** What submit frames with all of these counters hold, which have no hole. */
  frames(from: number, through: number, bundlesPerFrame: number): Outgoing[][] {
    const frames: Outgoing[][] = [];
    const end = this.indexOf(through + 1);
    for (let at = this.indexOf(from); at < end; ) {
      const frame: Outgoing[] = [];
      for (let bytes = 0; at < end && frame.length < bundlesPerFrame && bytes < FRAME_TARGET; at++) {
        frame.push(this.items[at]!);
        bytes += this.items[at]!.bundle.length;
      }
      frames.push(frame);
    }
    return frames;
  }
}
