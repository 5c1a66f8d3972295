/** What a cheat is: how an actor takes what it is given for something else, or says something else than its step does. */
import type { SignerOptions } from '../../src/actors/attest.js';
import type { ActorKind, ActorMessage, Address, Stage } from '../../src/actors/messages.js';
import type { Cast, Theatre } from './theatre.js';

export interface Said {
  readonly to: Address;
  readonly message: ActorMessage;
}

/** The actor that cheats, in one step. */
export interface Cheater extends SignerOptions {
  readonly theatre: Theatre;
  readonly who: Address;
  readonly stage: Stage;
  /** What it was given, before any cheat. */
  given: ActorMessage | null;
}

/** What is sent in each epoch, in order. */
export type Plan = (cast: Cast) => readonly (readonly (readonly [from: number, to: readonly number[]])[])[];

/**
 * The play that most cheats are given in. In the second epoch, Alice's message goes to Bob and Carol, of two outboxes;
 * before and after it others write to them.
 */
export const PLAN: Plan = ({ alice, bob, carol, dave }) => [
  [
    [alice, [bob, carol]],
    [dave, [bob]],
  ],
  [
    [alice, [bob, carol]],
    [alice, [bob]],
    [alice, [carol]],
    [dave, [bob, carol]],
  ],
  [
    [alice, [bob, carol]],
    [dave, [carol]],
    [bob, [alice]],
  ],
];

export interface Cheat {
  readonly name: string;
  readonly role: ActorKind;
  /** Which of these: number 0 where nothing is said. */
  readonly index?: number;
  /** The epoch, counted from 1, in which it cheats: the second where nothing is said. */
  readonly round?: number;
  /** Whether the manifest requires submissions, and clients sign them. */
  readonly isSigned?: true;
  /** What is sent, where it is not the play's own plan. */
  readonly plan?: Plan;
  /** Called when the messages of its epoch have been sent, before it is closed. */
  readonly before?: (theatre: Theatre) => void;
  readonly take?: (message: ActorMessage, self: Cheater) => ActorMessage;
  readonly give?: (said: readonly Said[], self: Cheater) => readonly Said[];
  /** In its epoch it tells the sequencer nothing. */
  readonly silent?: true;
  /** What a client is served: the log of the first `size` epochs, and nothing of the epoch `without`. All, if nothing is said. */
  readonly serves?: (
    mailbox: Buffer,
    theatre: Theatre,
  ) => { readonly size?: number; readonly without?: number };
}
