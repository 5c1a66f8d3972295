/** What vectors are told, and what they tell. */
import type { Accusation } from './accusing.js';
import type { Id } from './outgoing-bundle.js';
import type { RosterMember } from './pair-messages.js';

export interface VectorsOptions {
  /**
   * How much is kept to find out in what two differ, as a number of epochs that brought the mailbox something:
   * `keepEpochs` the newest; `untilVerified` no longer than until all have said that they have the same, and no more than
   * that; `headsOnly` hashes alone, with which it shows that two differ, and nothing is proven. Default 1,024 epochs.
   */
  readonly letGo?:
    | { readonly keepEpochs: number }
    | { readonly untilVerified: number }
    | { readonly headsOnly: number };
  /** Bytes of it, about. Default 16 MiB. */
  readonly bytes?: number;
  /** Others to compare with; beyond, who wrote least lately starts anew. Default 4,096. */
  readonly peers?: number;
  /** Whether messages of others to both count, whose roster the application shows: see `roster`. All that compare, or none. */
  readonly rosters?: boolean;
  /** Of the bodies that `frame` makes for a peer, one in so many has a block. Default 16. */
  readonly blockEvery?: number;
}

/** What was in a framed body. */
export interface Unframed {
  readonly body: Uint8Array;
  /** Null where no roster counts: of a message to one, or without `rosters`. `wrong`: its sender lies. */
  readonly roster: RosterOutcome | null;
  /** What a block for this client shows; null without one. */
  readonly comparison: Comparison | null;
}

/** What a block shows. */
export type Comparison =
  /** Both have the same through epoch `asOf`. */
  | { readonly outcome: 'same'; readonly asOf: number }
  /** They do not: `compare` finds out in what, and makes evidence. */
  | { readonly outcome: 'differs'; readonly asOf: number }
  /** The server has shown the two different logs, the other says: `compare` makes evidence, or shows that it is not so. */
  | { readonly outcome: 'forked'; readonly size: number }
  /**
   * Nothing. `ahead`: it is of an epoch that is not verified here yet; `start`: the two do not know the same past, and agree by
   * their next blocks where they start; `let-go`: it is of an epoch that is no longer kept; `scope`: the other counts other messages.
   */
  | { readonly outcome: 'unknown'; readonly reason: 'ahead' | 'start' | 'let-go' | 'scope' };

export interface CompareOptions {
  /** All of it may take as long. Default 30,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** In what two differ. */
export type Finding =
  | { readonly outcome: 'same'; readonly asOf: number }
  | ({ readonly outcome: 'diverged'; readonly epoch: number } & Accusation)
  /** The server has shown the two different logs: the smaller one was of so many epochs. */
  | ({ readonly outcome: 'forked'; readonly size: number } & Accusation);

/** What becomes of a roster: `wrong`: its sender lies; `late`: the message was acknowledged before, or let go. */
export type RosterOutcome = 'counted' | 'none' | 'wrong' | 'late';

export interface Roster {
  /** 32 bytes, as `send` was given it. */
  readonly rosterKey: Uint8Array;
  /** All recipients. */
  readonly members: readonly (Id | RosterMember)[];
}
