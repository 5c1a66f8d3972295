/** What a deliverer keeps per mailbox and socket, and what an epoch has for them. */
import type { Backlog } from './backlog.js';
import type { CommittedEpoch } from './committed-epochs.js';
import type { Still } from './signed-epoch.js';

/** One mailbox on one socket. */
export interface Subscription {
  readonly mailbox: string;
  readonly slot: number;
  readonly connection: Connection;
  /** Epoch of the last link sent, or acknowledged before. */
  sentEpoch: number;
  /** Which header of that epoch's links was its, if it was sent one; else any. */
  sentLink: number;
  /** Acknowledged before this session was sent it: taken once it has been. 0 = nothing. */
  wanted: number;
  /** Everything committed has been sent; the next epoch comes at once. */
  live: boolean;
  /** Epochs that it is known to be sent from its socket's backlog. */
  listed: number;
}

export interface Connection {
  readonly number: number;
  /** By slot. */
  readonly slots: (Subscription | undefined)[];
  readonly backlog: Backlog;
  /** Bytes of frames that the socket has not taken yet. */
  inFlight: number;
  /** Memory of such frames, oldest first; each with the bytes that the socket has yet to take before it is free. */
  readonly blocks: { readonly block: Uint8Array; inFlight: number }[];
  /** Size of the newest checkpoint the client has. */
  logSize: number;
  /** What the epoch just committed has for it. */
  due: Due[];
}

/** A mailbox's link (its index) or still in an epoch. */
export interface Due {
  readonly subscription: Subscription;
  readonly link: number;
  readonly still: Still | null;
}

/** Position of its first leaf in the outbox's output. */
export function positionOf(epoch: CommittedEpoch, { link, still }: Due): number {
  return still ? still.position : epoch.links.position(link);
}
