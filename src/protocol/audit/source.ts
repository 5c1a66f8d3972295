/**
 * What an audit reads: the log from its first leaf, and what is kept of each epoch, as whatever has them gives it. Nothing
 * of it is believed: all is held against what was signed.
 */
import type { SignedAttestation } from '../attestation.js';
import type { Handing } from '../handings.js';
import type { Checkpoint } from '../log.js';

/** A leaf of the log, as it is kept: with the nodes that it completes, which are its own hash and those above. */
export interface LogRecord {
  /** An epoch leaf, unless something is wrong with it. */
  readonly leaf: Uint8Array;
  readonly nodes: readonly Uint8Array[];
}

/** A run of messages of one sender in an inbox's order: its counters rise by one. No actor signs it. */
export interface SenderRun {
  readonly sender: Uint8Array;
  /** Of the first message. */
  readonly counter: number;
  /** Index of the first message; the run ends where the next one begins. */
  readonly first: number;
}

/** A message of which the bundle is still kept. */
export interface KeptMessage {
  readonly inbox: number;
  readonly index: number;
  /** Of its hash, made from the bundle. */
  readonly preimage: Uint8Array;
  /** The recipients' leaves, packed: 80 bytes each. */
  readonly recipients: Uint8Array;
}

/** A leaf of an outbox's output. */
export interface KeptLeaf {
  /** As it is kept. */
  readonly hash: Uint8Array;
  /** A link's part or a still. */
  readonly preimage: Uint8Array;
}

/** What a sender has signed of consecutive messages in an inbox's order: with them and who sent them, all of it. */
export interface KeptSubmission {
  /** Index of the first message, and how many there are. */
  readonly first: number;
  readonly count: number;
  readonly signature: Uint8Array;
  /** Message hashes before that of the first one, packed: of what it covers, and what had been taken in already. */
  readonly known: Uint8Array;
}

/** What is kept of an inbox's queue. */
export interface KeptInbox {
  /** Its pages, one behind the other. */
  readonly pages: Uint8Array;
  readonly runs: readonly SenderRun[];
  readonly submissions: readonly KeptSubmission[];
}

/** What is kept of an outbox's share. */
export interface KeptOutbox {
  readonly leaves: readonly KeptLeaf[];
  /** Empty when all who were to have them have acknowledged them. */
  readonly messages: readonly KeptMessage[];
}

/** Why a share cannot be read. */
export interface Unreadable {
  readonly unreadable: string;
}

export interface KeptEpoch {
  readonly epoch: number;
  readonly logIndex: number;
  /** In epoch-leaf order. */
  readonly attestations: readonly SignedAttestation[];
  readonly inboxes: readonly (KeptInbox | Unreadable)[];
  readonly outboxes: readonly (KeptOutbox | Unreadable)[];
}

/** A hand-over (hand-over.ts), and between whom it is kept. */
export interface KeptHandOver extends Handing {
  /** Signed bytes ‖ signature of from ‖ signature of to, unless something is wrong with it. */
  readonly statement: Uint8Array;
  /** Leaves without their prefixes, packed; null where they are not kept any more. */
  readonly leaves: Uint8Array | null;
}

/** Where a mailbox's chain stands, as its outbox keeps it. */
export interface KeptChainState {
  readonly mailbox: Uint8Array;
  readonly lastEpoch: number;
  readonly total: number;
  readonly head: Uint8Array;
}

export interface EpochSource {
  /** Version 1 first. */
  readonly manifests: readonly { readonly bytes: Uint8Array; readonly signature: Uint8Array }[];
  /** The newest that is kept or told; null where there is none. */
  readonly checkpoint: Checkpoint | null;
  /** Leaves of the log, from an index on: of so many as `checkpoint` covers, or of `size`. Of what is on disk, all that there are. */
  records(from: number, size?: number): AsyncIterable<LogRecord>;
  /** Those of these epochs that are kept, rising. */
  epochs(from: number, to: number): AsyncIterable<KeptEpoch>;
  /** The newest checkpoint by now, which a sequencer has signed; what nobody writes has none but `checkpoint`. */
  later(): Promise<Checkpoint | null>;
  /** In the order of version, role, from and to. */
  handOvers(): AsyncIterable<KeptHandOver>;
  /** Where chains stand; none where the source cannot tell. */
  chains(): AsyncIterable<KeptChainState>;
}
