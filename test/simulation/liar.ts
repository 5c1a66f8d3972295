/** What the simulator knows of an actor that lies, however it does. */
import type { ActorKind, ActorMessage, Address, Send, StoreRecord } from '../../src/actors/messages.js';
import type { Checkpoint } from '../../src/protocol/index.js';
import type { Signed } from '../../src/protocol/statement.js';

/** What the server's actors are in this life. */
export interface Cast {
  readonly serverId: Uint8Array;
  /** The liar's secret seed. */
  readonly seed: Uint8Array;
  /** Mailboxes that there are. */
  readonly mailboxes: readonly Uint8Array[];
}

export interface Liar {
  readonly role: ActorKind;
  /** As verdicts name it. */
  readonly name: string;
  /** False statements that it let go, to the log or to somebody else; and checkpoints of a log that there is not. */
  readonly leaked: readonly Signed[];
  readonly checkpoints: readonly Checkpoint[];
  readonly lies: number;
  /** It would not take its own lies: it has a thread that checks nothing. */
  readonly isAlone: boolean;
  /** A life of the server has ended: its actors know nothing of it. */
  forget(): void;
  /** Whether it wants to have the steps of this actor. */
  is(who: Address): boolean;
  /** Holds back what it says in a step. False between steps: that goes on its way. */
  hears(to: Address, message: ActorMessage): boolean;
  /** One step: `take` is the actor's own. */
  step(given: ActorMessage, cast: Cast, take: (message: ActorMessage) => void, send: Send): void;
  /** What goes on its way in place of what any actor says between such steps, and of what is written. */
  says(to: Address, message: ActorMessage, cast: Cast): ActorMessage;
  writes(records: readonly StoreRecord[]): readonly StoreRecord[];
  /** Is in its place until the way to take it out is called. */
  plant(): () => void;
}

/** Told of every lie. */
export type Lied = (what: string) => void;
