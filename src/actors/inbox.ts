/**
 * Inbox: takes bundles in, holds one epoch's queue, numbers it.
 *
 * In:  submit, open-sender (request handlers); close, committed, drain (sequencer)
 * Out: inbox-batch (its router); attested, work, empty (sequencer); refused, placed, sender-opened,
 *      queue-taken, released (request handlers)
 * Owns: per sender the last counter and its place; the queue; the batch that is being committed.
 *
 * 1. A sender's counters are taken in exactly in order: last + 1. Everything else is refused with a
 *    code, or is a duplicate and gets its place. A refused bundle consumes no counter.
 * 2. The message hash is computed here from the bytes, envelope hashes are compared with envelopes.
 * 3. A message's index is its position in the queue; nothing is renumbered within an epoch.
 * Never: looks at who receives, keeps bodies beyond the commit, signs an epoch twice.
 */
import {
  type Base,
  BundleCursor,
  BundleError,
  BundleHasher,
  type BundleLimits,
  type EpochContext,
  type ErrorCode,
  getPlace,
  INBOX_ROW_BYTES,
  NO_PLACE,
  type Place,
  ROLE,
  rowAt,
  type SignedAttestation,
  sameBytes,
} from '../protocol/index.js';
import { ActorFault, attest, contextOf, pagesOutput, type SignerOptions } from './attest.js';
import { idAt, idBytes } from './ids.js';
import { InboxQueue, type QueuedRun } from './inbox-queue.js';
import { packInboxRows } from './inbox-rows.js';
import type { Memory } from './memory.js';
import {
  type ActorMessage,
  address,
  type Close,
  type Committed,
  type MessageBatch,
  type OpenSender,
  type PlacedRun,
  type Refusal,
  type Send,
  type Stage,
  type StoreReader,
  type StoreRecord,
  type SubmittedFrame,
} from './messages.js';
import { findPlaced, replaySenders, type SenderState, senderCodec } from './sender-state.js';
import { type FlushOptions, StateTable } from './state-table.js';
import { epochKey, idKey, metaKey, numberValue, TABLE } from './store-keys.js';

export interface InboxOptions extends SignerOptions, FlushOptions {
  readonly memory: Memory;
  readonly limits: BundleLimits & { readonly countersKept: number };
  readonly reader: StoreReader;
  /** Newest committed epoch; 0 = none. */
  readonly lastEpoch: number;
  /** The log at start. */
  readonly checkpoint: Base;
  /** `checks: everywhere`. */
  readonly checkInputs: boolean;
  /** Which inbox takes a sender's bundles: 32 bytes. */
  readonly inboxOf: (sender: Uint8Array) => number;
}

/** Runs looked at to answer the known counters of one frame: some 20 ms. */
const LOOKUPS_PER_FRAME = 300_000;

type Refuse = (code: ErrorCode, text: string, count: number) => void;

/** Offset of the previous place in an inbox row. */
const PREVIOUS_AT = 64;

export class Inbox implements Stage {
  private readonly senders: StateTable<string, SenderState>;
  private readonly hasher: BundleHasher;
  private readonly cursor: BundleCursor;
  private queue: InboxQueue;
  private committing: { epoch: number; queue: InboxQueue } | null = null;
  private draining = false;
  /** The newest checkpoint: an epoch that is closed on another base is not signed. */
  private told: Base;
  /** What known counters of the frame being taken may still cost, in runs looked at. */
  private readonly lookups = { left: 0 };
  private lastFlush: number;

  constructor(
    private readonly options: InboxOptions,
    private readonly send: Send,
  ) {
    const { reader, index, lastEpoch } = options;
    this.told = options.checkpoint;
    this.senders = new StateTable(reader, (id) => idKey(TABLE.sender, idBytes(id)), senderCodec);
    this.hasher = new BundleHasher(options.serverId);
    this.cursor = new BundleCursor(options.limits);
    this.queue = new InboxQueue(options.memory, index);
    this.lastFlush = replaySenders(reader, index, lastEpoch, this.senders, this.flushMark());
  }

  private flushMark(): Uint8Array {
    return metaKey(`flush inbox ${this.options.index}`);
  }

  handle(message: ActorMessage): void {
    switch (message.type) {
      case 'submit':
        return this.submit(message.frames);
      case 'open-sender':
        return this.openSender(message);
      case 'close':
        return this.close(message);
      case 'committed':
        return this.committed(message);
      case 'drain':
        this.draining = true;
        return this.sayIfEmpty();
      case 'finish':
        return this.send(address('gateway'), { type: 'finished' });
      default:
        throw new Error(`inbox does not take '${message.type}'`);
    }
  }

  // ---- taking in

  private submit(frames: readonly SubmittedFrame[]): void {
    const wasEmpty = this.queue.load.bytes === 0;
    const refusals: Refusal[] = [];
    const known: PlacedRun[] = [];
    for (const frame of frames) this.takeFrame(frame, refusals, known);
    if (refusals.length > 0) this.send(address('gateway'), { type: 'refused', refusals });
    if (known.length > 0) this.send(address('gateway'), { type: 'placed', runs: known });
    // Frames of which nothing was taken count, too: closing an epoch gives their memory back.
    if (wasEmpty && this.queue.load.bytes > 0) this.send(address('sequencer'), { type: 'work' });
  }

  private takeFrame(frame: SubmittedFrame, refusals: Refusal[], known: PlacedRun[]): void {
    const { connection, slot, firstCounter, count } = frame;
    const id = idAt(frame.sender, 0);
    const state = this.senders.get(id) ?? { last: 0, place: NO_PLACE, queuedIn: null };
    // Whoever handed it over signs nothing: the inbox would be guilty of what it takes in.
    if (
      this.options.checkInputs &&
      state.last === 0 &&
      this.options.inboxOf(frame.sender) !== this.options.index
    )
      throw new ActorFault('request handler: a frame of a sender that is placed at another inbox');
    this.queue.countFrame(frame);
    this.lookups.left = LOOKUPS_PER_FRAME;
    this.hasher.sender(frame.sender, 0);
    let at = frame.from;
    let run: QueuedRun | null = null;
    for (let k = 0; k < count; k++) {
      const counter = firstCounter + k;
      const refuse: Refuse = (code, text, n) => {
        const expected = code === 'counter-gap' ? state.last + 1 : 0;
        refusals.push({ connection, slot, code, firstCounter: counter, count: n, expected, text });
      };
      if (counter > state.last + 1) {
        refuse('counter-gap', `counter ${counter} came, ${state.last + 1} is expected`, count - k);
        break;
      }
      const start = at;
      // The request handler has parsed it already: an error here is a fault of ours, not a refusal.
      at = this.cursor.parse(frame.chunk.bytes, start, frame.to);
      const bad = this.envelopeError();
      if (bad) refuse(bad.code, bad.message, 1);
      else if (counter <= state.last) this.answerKnown(frame, id, state, counter, refuse, known);
      else run = this.enqueue(frame, start, at, id, state, counter, run);
    }
    if (run) this.senders.put(id, state);
  }

  private envelopeError(): BundleError | null {
    try {
      this.cursor.checkEnvelopes();
      return null;
    } catch (error) {
      if (error instanceof BundleError) return error;
      throw error;
    }
  }

  private enqueue(
    frame: SubmittedFrame,
    from: number,
    to: number,
    id: string,
    state: SenderState,
    counter: number,
    open: QueuedRun | null,
  ): QueuedRun {
    const { queue } = this;
    const run = open ?? queue.startRun(frame, id, counter, state.queuedIn === queue);
    const index = queue.add(from, to, state.place);
    this.hasher.bundle(counter, this.cursor, queue.pages, rowAt(index, INBOX_ROW_BYTES));
    if (this.cursor.recipients > 1) queue.keepLeaves(index, this.hasher.leafHashes);
    state.last = counter;
    state.place = { epoch: 0, inbox: this.options.index, index };
    state.queuedIn = queue;
    return run;
  }

  // ---- duplicates

  private answerKnown(
    frame: SubmittedFrame,
    id: string,
    state: SenderState,
    counter: number,
    refuse: Refuse,
    known: PlacedRun[],
  ): void {
    this.hasher.bundle(counter, this.cursor, scratch, 0);
    const conflict = () => refuse('counter-conflict', `counter ${counter} was used for another message`, 1);
    const queued = this.findQueued(frame, id, counter);
    if (queued) {
      // The same message: its place follows when its epoch is committed.
      if (!sameBytes(queued, 0, scratch, 0, 32)) conflict();
      return;
    }
    const found =
      counter > state.last - this.options.limits.countersKept
        ? this.findDurable(id, state, counter)
        : undefined;
    if (!found && this.lookups.left < 0) return refuse('busy', 'too many known counters in one frame', 1);
    if (!found) return refuse('counter-expired', `counter ${counter} is too old to compare`, 1);
    if (!sameBytes(found.hash, 0, scratch, 0, 32)) return conflict();
    const { epoch, inbox, index } = found.place;
    known.push({
      connection: frame.connection,
      slot: frame.slot,
      epoch,
      inbox,
      firstCounter: counter,
      firstIndex: index,
      count: 1,
    });
  }

  /** Looks where it is not committed yet; whoever asks now is told the place. */
  private findQueued(frame: SubmittedFrame, id: string, counter: number): Uint8Array | undefined {
    for (const queue of [this.queue, this.committing?.queue]) {
      this.lookups.left -= queue?.runs.length ?? 0;
      const row = queue?.find(id, counter);
      if (!row) continue;
      queue!.answerTo(id, frame.connection, frame.slot);
      return row;
    }
    return undefined;
  }

  private findDurable(
    id: string,
    state: SenderState,
    counter: number,
  ): { place: Place; hash: Uint8Array } | undefined {
    const first = this.committing?.queue.firstOf(id) ?? this.queue.firstOf(id);
    const newest = first ? getPlace(first, PREVIOUS_AT) : state.place;
    return findPlaced(this.options.reader, id, counter, newest, this.lookups);
  }

  private openSender({ connection, slot, sender }: OpenSender): void {
    const id = idAt(sender, 0);
    for (const queue of [this.queue, this.committing?.queue]) {
      queue?.answerTo(id, connection, slot);
    }
    const lastCounter = this.senders.get(id)?.last ?? 0;
    this.send(address('gateway'), { type: 'sender-opened', connection, slot, lastCounter });
  }

  // ---- epochs

  private close(context: Close): void {
    if (this.committing)
      throw new Error(`inbox: epoch ${context.epoch} closed while ${this.committing.epoch} is committing`);
    const { queue } = this;
    const { index } = this.options;
    this.committing = { epoch: context.epoch, queue };
    this.queue = new InboxQueue(this.options.memory, index);
    this.number(context.epoch, queue);
    const batch = queue.batch();
    const attestation = this.attest(context, batch);
    this.send(address('router', index), {
      type: 'inbox-batch',
      context: contextOf(context),
      attestation,
      batch,
    });
    const records = this.records(context.epoch, batch);
    const from = address('inbox', index);
    this.send(address('sequencer'), { type: 'attested', from, epoch: context.epoch, attestation, records });
    if (queue.load.bytes > 0) {
      this.send(address('gateway'), { type: 'queue-taken', inbox: index, load: queue.load });
    }
  }

  private number(epoch: number, queue: InboxQueue): void {
    queue.number(epoch);
    for (const run of queue.runs) {
      const state = this.senders.get(run.sender)!;
      state.place = { epoch, inbox: this.options.index, index: run.firstIndex + run.count - 1 };
      state.queuedIn = null;
      this.senders.put(run.sender, state);
    }
  }

  private attest(context: EpochContext, batch: MessageBatch): SignedAttestation {
    const output = pagesOutput(batch.pages, batch.count, INBOX_ROW_BYTES);
    return attest({ ...this.options, told: this.told }, ROLE.inbox, context, [], [output]);
  }

  private records(epoch: number, batch: MessageBatch): StoreRecord[] {
    const { index, flushEpochs, flushChanged } = this.options;
    const records: StoreRecord[] = [];
    if (batch.count > 0) {
      records.push({
        key: epochKey(TABLE.inboxRows, epoch, index),
        value: packInboxRows(batch.pages, batch.count),
      });
      records.push({ key: epochKey(TABLE.senderRuns, epoch, index), value: batch.runs });
    }
    const due = epoch - this.lastFlush >= flushEpochs || this.senders.changed >= flushChanged;
    if (due && this.senders.changed > 0) {
      this.lastFlush = epoch;
      return records.concat(this.senders.flush(), { key: this.flushMark(), value: numberValue(epoch) });
    }
    return records;
  }

  private committed({ epoch, checkpoint }: Committed): void {
    const done = this.committing;
    if (!done || done.epoch !== epoch)
      throw new Error(`inbox: epoch ${epoch} committed, ${done?.epoch ?? 'none'} expected`);
    this.committing = null;
    this.told = checkpoint;
    this.senders.flushed();
    const { index } = this.options;
    const runs = done.queue.runs.map(({ connection, slot, firstCounter, firstIndex, count }) => {
      return { connection, slot, epoch, inbox: index, firstCounter, firstIndex, count };
    });
    if (runs.length > 0) this.send(address('gateway'), { type: 'placed', runs });
    const chunks = done.queue.release();
    if (chunks.length > 0) this.send(address('gateway'), { type: 'released', chunks });
    this.sayIfEmpty();
  }

  private sayIfEmpty(): void {
    if (this.draining && this.queue.count === 0 && !this.committing) {
      this.send(address('sequencer'), { type: 'empty', from: address('inbox', this.options.index) });
    }
  }
}

const scratch = new Uint8Array(32);
