/** What a deliverer keeps per mailbox and socket, and what an epoch has for them. */
import type { Backlog } from './backlog.js';
import type { SocketBytes, Tail } from './outstanding.js';
import type { SignedEpoch, Still } from './signed-epoch.js';

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
  readonly bytes: SocketBytes;
  /** Size of the newest checkpoint the client has. */
  logSize: number;
  /** What the epoch that is being committed has for it, in the order of leaves, and as much of it as is made ready. */
  due: Due[];
  ready: readonly Ready[];
}

/** Behind its head, a frame that is made of `due` up to `next`. */
export interface Ready {
  readonly tail: Tail;
  readonly next: number;
}

/** A mailbox's link (its index) or still in an epoch. */
export interface Due {
  readonly subscription: Subscription;
  readonly link: number;
  readonly still: Still | null;
}

/** Position of its first leaf in the outbox's output. */
export function positionOf(epoch: SignedEpoch, { link, still }: Due): number {
  return still ? still.position : epoch.links.position(link);
}

export function sortByLeaf(epoch: SignedEpoch, due: Due[]): void {
  due.sort((a, b) => positionOf(epoch, a) - positionOf(epoch, b));
}

/** Of what an epoch was to have for a socket, what is for mailboxes that are still open on it; those that came last in their places. */
export function stillDue(epoch: SignedEpoch, { due, slots }: Connection): Due[] {
  const open = due.filter(({ subscription }) => slots[subscription.slot] === subscription);
  sortByLeaf(epoch, open);
  return open;
}
