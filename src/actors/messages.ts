/**
 * Every message between actors, and what they carry. A leaf file: stages know their neighbours only
 * through these types; who runs on which thread is the pipeline's business.
 *
 * Bytes of messages lie in shared, recycled memory (`SharedArrayBuffer`), read-only once handed on.
 * A message here is one per epoch, frame batch or command, never one per message of a client.
 */
import type {
  Base,
  Checkpoint,
  EpochContext,
  EpochLeaf,
  ErrorCode,
  SessionKind,
  SignedAttestation,
} from '../protocol/index.js';

/** `gateway` stands for the request handlers of the process: one, on the thread of the sockets. */
export type ActorKind = 'gateway' | 'inbox' | 'router' | 'receiver' | 'outbox' | 'sequencer';

export interface Address {
  readonly kind: ActorKind;
  readonly index: number;
}

export function address(kind: ActorKind, index = 0): Address {
  return { kind, index };
}

/** A run of one sender's bundles with consecutive counters, as one submit frame brought them. */
export interface SubmittedFrame {
  /** Which socket to answer, and under which slot. */
  readonly connection: number;
  readonly slot: number;
  /** 32 bytes. */
  readonly sender: Uint8Array;
  readonly firstCounter: number;
  readonly count: number;
  /** The sender's over all of them (64 bytes), and then they are taken in as a whole; null = unsigned. */
  readonly signature: Uint8Array | null;
  /** Where the bundles lie: shared memory, bytes [from, to); behind them their hashes (hashed-frame.ts). */
  readonly chunk: SharedChunk;
  readonly from: number;
  readonly to: number;
  /** Recipients plus one, summed over the bundles: what the frame adds to routers' work. */
  readonly items: number;
}

/** What frames add to an epoch: bytes of bundles, messages, and rows (recipients plus the sender). */
export interface Load {
  bytes: number;
  messages: number;
  items: number;
}

/** A piece of recycled memory that request handlers write frames into. */
export interface SharedChunk {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** One inbox's messages of one epoch, in order; shared by every stage behind it. */
export interface MessageBatch {
  readonly inbox: number;
  readonly count: number;
  /** Inbox rows in page layout (protocol/pages.ts). */
  readonly pages: Uint8Array;
  readonly chunks: readonly Uint8Array[];
  /** Per message: chunk, offset, end, run, offset of its recipients' leaf hashes in the chunk (0 when it has one recipient). */
  readonly where: Uint32Array;
  /** Per run: sender 32 ‖ first counter 8 ‖ index of its first message 4 (44 bytes). */
  readonly runs: Uint8Array;
}

/** Fields of a message in `MessageBatch.where`. */
export const WHERE = { chunk: 0, from: 1, to: 2, run: 3, leaves: 4, fields: 5 } as const;
/** Layout of a run. */
export const RUN = { counter: 32, first: 40, bytes: 44 } as const;

/** Items in page layout (router's or receiver's rows) with a hint per row that nothing signs. */
export interface Items {
  readonly count: number;
  readonly pages: Uint8Array;
  /** Position of the mailbox among the message's recipients; `SENT_ONLY` for the sender's own entry. */
  readonly positions: Uint16Array;
}

export const SENT_ONLY = 0xffff;

/** What a full mailbox takes no more of: others' messages, its owner's own, or both. */
export const FULL = { received: 1, own: 2 } as const;

/** What must become durable with an epoch, or by itself. `value` null deletes. Keys as in store-keys.ts. */
export interface StoreRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** A bundle, or a run of them, that was not taken in. */
export interface Refusal {
  readonly connection: number;
  readonly slot: number;
  readonly code: ErrorCode;
  readonly firstCounter: number;
  readonly count: number;
  readonly expected: number;
  /** The recipient that the refusal is about, if it is about one. */
  readonly mailbox?: Uint8Array;
  readonly text: string;
}

/** Places for one sender: counters from the first, at consecutive indices from the first. */
export interface PlacedRun {
  readonly connection: number;
  readonly slot: number;
  readonly epoch: number;
  readonly inbox: number;
  readonly firstCounter: number;
  readonly firstIndex: number;
  readonly count: number;
}

// ---- request handlers → inbox
export type Submit = { type: 'submit'; frames: readonly SubmittedFrame[] };
/** A sender's front session: answered with the highest counter taken in. */
export type OpenSender = { type: 'open-sender'; connection: number; slot: number; sender: Uint8Array };

/** What an inbox asked its verifier, which answers at once or later: it tells itself. */
export type SubmissionVerified = { type: 'submission-verified'; number: number; isGood: boolean };

// ---- request handlers → outbox
export type OpenMailbox = {
  type: 'open-mailbox';
  connection: number;
  slot: number;
  mailbox: Uint8Array;
  kind: SessionKind;
  acknowledged: number;
  /** Size of the client's newest checkpoint. */
  logSize: number;
  /** 32 random bytes: the chain seed, should the mailbox be new; null when it may not be made. */
  seed: Uint8Array | null;
};
/** Ids that the operator gives mailboxes, with a chain seed for each: n × 32 bytes both. */
export type RegisterMailboxes = {
  type: 'register-mailboxes';
  id: number;
  mailboxes: Uint8Array;
  seeds: Uint8Array;
};
/** An ack frame as it came (protocol/frames.ts): packed, because every mailbox acknowledges every epoch. */
export type Acknowledge = { type: 'ack'; connection: number; frame: Uint8Array };
export type AskStill = { type: 'ask-still'; connection: number; slot: number };
/** Bytes that a socket has taken; room for as many more. */
export type Drained = { type: 'drained'; connection: number; bytes: number };
export type Disconnected = { type: 'disconnected'; connection: number };

// ---- to request handlers
export type SenderOpened = { type: 'sender-opened'; connection: number; slot: number; lastCounter: number };
export type MailboxOpened = {
  type: 'mailbox-opened';
  connection: number;
  slot: number;
  kind: SessionKind;
  /** Which outbox says it. */
  outbox: number;
  error: ErrorCode | null;
  lastEpoch: number;
  total: number;
  head: Uint8Array;
};
/** All of them have mailboxes, durably. */
export type MailboxesRegistered = { type: 'mailboxes-registered'; id: number };
/** Whole frames for one socket, in order. */
export type Frames = { type: 'frames'; connection: number; frames: readonly Uint8Array[] };
export type Displaced = { type: 'displaced'; connection: number; slot: number };
export type AckRefused = { type: 'ack-refused'; connection: number; slot: number; epoch: number };
/** Mailboxes that have become full, or have room again: `FULL`, 0 = neither. */
export type MailboxesFull = {
  type: 'mailboxes-full';
  changes: readonly { readonly mailbox: string; readonly full: number }[];
};
export type Refused = { type: 'refused'; refusals: readonly Refusal[] };
export type PlacedHints = { type: 'placed'; runs: readonly PlacedRun[] };
/** An inbox closed its queue: so much of what was submitted is out of it. */
export type QueueTaken = { type: 'queue-taken'; inbox: number; load: Load };
/** Frames whose memory nobody reads any more, per chunk. */
export type Released = {
  type: 'released';
  chunks: readonly { readonly id: number; readonly frames: number }[];
};

// ---- sequencer → all, epoch by epoch
export type Close = { type: 'close' } & EpochContext;
export type Committed = {
  type: 'committed';
  epoch: number;
  checkpoint: Checkpoint;
  /** For outboxes, who deliver it. */
  logged: Logged | null;
};

/** What the log has of an epoch. */
export interface Logged {
  readonly logIndex: number;
  readonly leaf: EpochLeaf;
  /** In epoch-leaf order. */
  readonly attestations: readonly SignedAttestation[];
  /** Their leaf hashes, packed. */
  readonly actorLeaves: Uint8Array;
}

// ---- along the pipeline
export type InboxBatch = {
  type: 'inbox-batch';
  context: EpochContext;
  attestation: SignedAttestation;
  batch: MessageBatch;
};
export type RouterShare = {
  type: 'router-share';
  context: EpochContext;
  router: number;
  attestation: SignedAttestation;
  items: Items;
  batch: MessageBatch;
};
export type ReceiverItems = {
  type: 'receiver-items';
  context: EpochContext;
  attestation: SignedAttestation;
  items: Items;
  /** By inbox. */
  batches: readonly MessageBatch[];
};

// ---- to the sequencer
/** An actor has recovered; no epoch is closed before all have. */
export type Ready = { type: 'ready'; from: Address };
/** An inbox is no longer empty, or a still was asked for. */
export type Work = { type: 'work' };
export type Attested = {
  type: 'attested';
  from: Address;
  epoch: number;
  attestation: SignedAttestation;
  records: readonly StoreRecord[];
};
/** Makes records durable outside an epoch; answered with `persisted`. */
export type Persist = { type: 'persist'; from: Address; id: number; records: readonly StoreRecord[] };
export type Persisted = { type: 'persisted'; id: number };
/** An inbox that is draining has nothing left. */
export type Drain = { type: 'drain' };
export type Empty = { type: 'empty'; from: Address };
/** The last epoch of a server that drains has been told; passed on to request handlers behind all that was. */
export type Finish = { type: 'finish' };
export type Finished = { type: 'finished' };

export type ActorMessage =
  | Submit
  | OpenSender
  | SubmissionVerified
  | OpenMailbox
  | RegisterMailboxes
  | Acknowledge
  | AskStill
  | Drained
  | Disconnected
  | SenderOpened
  | MailboxOpened
  | MailboxesRegistered
  | Frames
  | Displaced
  | AckRefused
  | MailboxesFull
  | Refused
  | PlacedHints
  | QueueTaken
  | Released
  | Close
  | Committed
  | InboxBatch
  | RouterShare
  | ReceiverItems
  | Ready
  | Work
  | Attested
  | Persist
  | Persisted
  | Drain
  | Empty
  | Finish
  | Finished;

/** How a stage reaches its neighbours; given to it, so that it runs on threads, in one loop, or simulated. */
export type Send = (to: Address, message: ActorMessage) => void;

/** What every stage is: a state, and one synchronous step per message. */
export interface Stage {
  /** Throws only when the server must stop: a fault between stages is never a refusal. */
  handle(message: ActorMessage): void;
}

/** Reads what is durable. */
export interface StoreReader {
  get(key: Uint8Array): Uint8Array | undefined;
  /** As `get`, at a fraction of its cost for what is large; holds only until the next read. */
  view(key: Uint8Array): Uint8Array | undefined;
  /** Keys in rising order, from `from` on, below `to`. */
  range(from: Uint8Array, to: Uint8Array): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  /** The keys of such a range: no value is read. */
  keys(from: Uint8Array, to: Uint8Array): Iterable<Uint8Array>;
}

export type { Base };
