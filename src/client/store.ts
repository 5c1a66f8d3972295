/**
 * What a client must not forget: its server, its counters and the bundles that have no receipt yet,
 * how far its chains are verified and acknowledged, how far it knows the log.
 *
 * One `save` is one atomic step: what a turn of the event loop changed, written together. Nothing is
 * shown or sent before the save that covers it is done.
 */
import {
  type ChainState,
  type Checkpoint,
  CountersignError,
  FormatError,
  ZERO_HASH,
} from '../protocol/index.js';

export interface SavedLog {
  readonly checkpoint: Checkpoint;
  /** The frontier's hashes, packed. */
  readonly frontier: Uint8Array;
}

export interface SavedChain {
  /** The chain through what is acknowledged: redelivery starts behind it. */
  readonly acknowledged: ChainState;
  /** Counter of the owner's last message in that part of the chain; −1 = not known. */
  readonly ownCounter: number;
  /** Messages acknowledged behind that epoch: all through this place (epoch 0 = none). */
  readonly place: { readonly epoch: number; readonly inbox: number; readonly index: number };
  /** The chain through everything ever verified: a redelivery must lead here again. */
  readonly verified: ChainState;
}

export type Change =
  | { readonly type: 'server'; readonly serverId: Uint8Array }
  | { readonly type: 'log'; readonly outbox: number; readonly log: SavedLog }
  | { readonly type: 'chain'; readonly mailbox: string; readonly chain: SavedChain }
  /** Bundles with consecutive counters from `first`, instead of all that were kept from there on. */
  | {
      readonly type: 'submitted';
      readonly mailbox: string;
      readonly first: number;
      readonly bundles: readonly Uint8Array[];
    }
  /** All bundles through this counter have their receipt. */
  | { readonly type: 'receipted'; readonly mailbox: string; readonly through: number }
  /** What a part of the client keeps under a name, instead of what it kept there: vectors (vectors.ts). */
  | { readonly type: 'kept'; readonly name: string; readonly bytes: Uint8Array };

export interface SavedMailbox {
  chain: SavedChain | null;
  /** Counter of the first of `bundles`; the next one to use comes after the last. */
  firstCounter: number;
  bundles: Uint8Array[];
}

export interface Saved {
  serverId: Uint8Array | null;
  readonly logs: Map<number, SavedLog>;
  /** By the mailbox's id in hexadecimal. */
  readonly mailboxes: Map<string, SavedMailbox>;
  /** By name. */
  readonly kept: Map<string, Uint8Array>;
}

/** Where a client keeps its state. One client at a time. */
export interface Store {
  /** What was saved before. Called once, first. */
  load(): Saved | Promise<Saved>;
  /** Makes changes durable, all or none. Never called again before it is done. */
  save(changes: readonly Change[]): void | Promise<void>;
  close(): void | Promise<void>;
}

/** What a store threw, as clients tell it. */
export function storeError(doing: string, error: unknown): CountersignError {
  if (error instanceof CountersignError) return error;
  return new CountersignError('store-unusable', `${doing} failed: ${String(error)}`, { cause: error });
}

export function nothingSaved(): Saved {
  return { serverId: null, logs: new Map(), mailboxes: new Map(), kept: new Map() };
}

export const NOTHING_ACKNOWLEDGED: SavedChain = {
  acknowledged: { lastEpoch: 0, total: 0, head: ZERO_HASH },
  ownCounter: -1,
  place: { epoch: 0, inbox: 0, index: 0 },
  verified: { lastEpoch: 0, total: 0, head: ZERO_HASH },
};

export function savedMailbox(saved: Saved, mailbox: string): SavedMailbox {
  let found = saved.mailboxes.get(mailbox);
  if (!found) {
    found = { chain: null, firstCounter: 1, bundles: [] };
    saved.mailboxes.set(mailbox, found);
  }
  return found;
}

/** Brings `saved` up to date. The bundles are kept by reference, not copied. */
export function applyChange(saved: Saved, change: Change): void {
  switch (change.type) {
    case 'server':
      saved.serverId = change.serverId;
      return;
    case 'log':
      saved.logs.set(change.outbox, change.log);
      return;
    case 'chain':
      savedMailbox(saved, change.mailbox).chain = change.chain;
      return;
    case 'submitted':
      return replaceBundles(savedMailbox(saved, change.mailbox), change.first, change.bundles);
    case 'receipted':
      return dropBundles(savedMailbox(saved, change.mailbox), change.through);
    case 'kept':
      saved.kept.set(change.name, change.bytes);
  }
}

function replaceBundles(mailbox: SavedMailbox, first: number, bundles: readonly Uint8Array[]): void {
  if (mailbox.bundles.length === 0 || first < mailbox.firstCounter) mailbox.firstCounter = first;
  if (first > mailbox.firstCounter + mailbox.bundles.length) throw new FormatError('bundles skip a counter');
  mailbox.bundles.length = first - mailbox.firstCounter;
  for (const bundle of bundles) mailbox.bundles.push(bundle);
}

function dropBundles(mailbox: SavedMailbox, through: number): void {
  const done = through + 1 - mailbox.firstCounter;
  if (done <= 0) return;
  mailbox.bundles.splice(0, done);
  mailbox.firstCounter = through + 1;
}

/** Keeps everything in memory: a process that ends starts anew, from the server's word. */
export class MemoryStore implements Store {
  private readonly saved = nothingSaved();

  /** A copy: who loads goes its own way. */
  load(): Saved {
    return structuredClone(this.saved);
  }

  save(changes: readonly Change[]): void {
    for (const change of changes) applyChange(this.saved, change);
  }

  close(): void {}
}
