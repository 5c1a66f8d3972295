/** What a cheat is: how an actor takes what it is given for something else, or says something else than its step does. */
import type { SignerOptions } from '../../src/actors/attest.js';
import type { ActorKind, ActorMessage, Address, Stage } from '../../src/actors/messages.js';
import type { Theatre } from './theatre.js';

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

export interface Cheat {
  readonly name: string;
  /** Number 0 of these. */
  readonly role: ActorKind;
  /** The epoch, counted from 1, in which it cheats: the second where nothing is said. */
  readonly round?: number;
  readonly take?: (message: ActorMessage, self: Cheater) => ActorMessage;
  readonly give?: (said: readonly Said[], self: Cheater) => readonly Said[];
}
