/** Everything that could be observed from outside in a run, and nothing that was concluded from it. */
import type { Place } from '../../src/protocol/place.js';
import type { Aborted, Delivered, Receipted, Sent } from '../support/checker.js';

/** A claim as a client made it: that a mailbox has this message at this place, or stands like this. */
export interface MadeClaim {
  readonly bytes: Uint8Array;
  readonly mailbox: Uint8Array;
  readonly says:
    | { readonly place: Place; readonly messageHash: Uint8Array }
    | { readonly asOf: number; readonly lastEpoch: number; readonly total: number };
}

/** What the server said, without proof, of a place. */
export interface Hint {
  readonly sender: string;
  readonly counter: number;
  readonly place: Place;
}

export class Chronicle {
  readonly sent: Sent[] = [];
  readonly receipted: Receipted[] = [];
  readonly aborted: Aborted[] = [];
  readonly delivered: Delivered[] = [];
  /** Mailboxes and places of messages of clients that lie. */
  readonly strange = new Set<string>();
  readonly closed = new Set<string>();
  readonly claims: MadeClaim[] = [];
  readonly hints: Hint[] = [];
  /** Everything that was signed in the run, by whomever, committed or not; each once. */
  readonly signed = new Map<string, { bytes: Uint8Array; signature: Uint8Array }>();
  /** Highest committed epoch that was told inside the server. */
  epoch = 0;
  epochs = 0;
  /** Highest committed epoch when an actor lied for the first time. */
  lied?: number;
  /** The newest place that anybody has been shown or promised. */
  newest: Place | null = null;

  sign(bytes: Uint8Array, signature: Uint8Array): void {
    const text = Buffer.from(bytes).toString('latin1');
    this.signed.set(text, { bytes: Uint8Array.from(bytes), signature: Uint8Array.from(signature) });
  }

  committed(epoch: number): void {
    if (epoch <= this.epoch) return;
    this.epoch = epoch;
    this.epochs++;
  }

  /** How many epochs somebody has been shown or promised a place in. */
  get filled(): number {
    return new Set([...this.delivered, ...this.receipted].map(({ place }) => place.epoch)).size;
  }

  saw(place: Place): void {
    if (!this.newest || place.epoch > this.newest.epoch) this.newest = place;
  }
}
