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
  BundleCursor,
  BundleError,
  type BundleLimits,
  type EpochContext,
  type ErrorCode,
  getPlace,
  INBOX_PREFIX,
  INBOX_ROW_BYTES,
  MessageHasher,
  NO_PLACE,
  type Place,
  pagesBytes,
  putInboxRow,
  putPrefixes,
  putU32,
  putU64,
  ROLE,
  rowAt,
  type SignedAttestation,
  sameBytes,
  UNSIGNED,
} from '../protocol/index.js';
import { attest, contextOf, pagesOutput } from './attest.js';
import { idAt } from './ids.js';
import { Memory } from './memory.js';
import {
  type ActorMessage,
  address,
  type Close,
  type Committed,
  type MessageBatch,
  type OpenSender,
  type PlacedRun,
  type Refusal,
  RUN,
  type Send,
  type Stage,
  type StoreReader,
  type StoreRecord,
  type SubmittedFrame,
  WHERE,
} from './messages.js';
import { findPlaced, replaySenders, type SenderState, senderCodec } from './sender-state.js';
import { StateTable } from './state-table.js';
import { epochKey, metaKey, numberValue, TABLE } from './store-keys.js';

export interface InboxOptions {
  readonly index: number;
  readonly serverId: Uint8Array;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  readonly limits: BundleLimits & { readonly countersKept: number };
  readonly reader: StoreReader;
  /** Newest committed epoch; 0 = none. */
  readonly lastEpoch: number;
  /** Epochs between two writes of changed sender states. */
  readonly flushEpochs: number;
}

/** A run as the queue knows it; `inEpoch`: its first message's predecessor lies in the same epoch. */
interface QueuedRun {
  connection: number;
  slot: number;
  readonly sender: string;
  readonly firstCounter: number;
  readonly firstIndex: number;
  readonly inEpoch: boolean;
  count: number;
}

interface Queue {
  count: number;
  bytes: number;
  items: number;
  pages: Uint8Array;
  where: Uint32Array;
  runs: QueuedRun[];
  chunks: Map<number, { readonly position: number; readonly bytes: Uint8Array; frames: number }>;
}

const FIRST_ROWS = 1024;

export class Inbox implements Stage {
  private readonly memory = new Memory();
  private readonly senders: StateTable<SenderState>;
  private readonly hasher: MessageHasher;
  private readonly cursor: BundleCursor;
  private queue: Queue;
  private committing: { epoch: number; queue: Queue } | null = null;
  private draining = false;
  private lastFlush: number;

  constructor(
    private readonly options: InboxOptions,
    private readonly send: Send,
  ) {
    this.senders = new StateTable(options.reader, TABLE.sender, senderCodec);
    this.hasher = new MessageHasher(options.serverId);
    this.cursor = new BundleCursor(options.limits);
    this.queue = this.emptyQueue();
    this.lastFlush = replaySenders(
      options.reader,
      options.index,
      options.lastEpoch,
      this.senders,
      this.flushMark(),
    );
  }

  private flushMark(): Uint8Array {
    return metaKey(`flush inbox ${this.options.index}`);
  }

  private emptyQueue(): Queue {
    return {
      count: 0,
      bytes: 0,
      items: 0,
      pages: this.memory.take(pagesBytes(FIRST_ROWS, INBOX_ROW_BYTES)),
      where: words(this.memory.take(FIRST_ROWS * WHERE.fields * 4)),
      runs: [],
      chunks: new Map(),
    };
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
      default:
        throw new Error(`inbox does not take '${message.type}'`);
    }
  }

  // ---- taking in

  private submit(frames: readonly SubmittedFrame[]): void {
    const wasEmpty = this.queue.count === 0;
    const refusals: Refusal[] = [];
    const known: PlacedRun[] = [];
    for (const frame of frames) this.takeFrame(frame, refusals, known);
    if (refusals.length > 0) this.send(address('gateway'), { type: 'refused', refusals });
    if (known.length > 0) this.send(address('gateway'), { type: 'placed', runs: known });
    if (wasEmpty && this.queue.count > 0) this.send(address('sequencer'), { type: 'work' });
  }

  private takeFrame(frame: SubmittedFrame, refusals: Refusal[], known: PlacedRun[]): void {
    const id = idAt(frame.sender, 0);
    const state = this.senders.get(id) ?? { last: 0, place: NO_PLACE, queuedIn: null };
    const chunk = this.useChunk(frame);
    this.hasher.sender(frame.sender, 0);
    let at = frame.from;
    let run: QueuedRun | null = null;
    for (let k = 0; k < frame.count; k++) {
      const counter = frame.firstCounter + k;
      const refuse = (code: ErrorCode, text: string, count: number) => {
        const expected = code === 'counter-gap' ? state.last + 1 : 0;
        refusals.push({
          connection: frame.connection,
          slot: frame.slot,
          code,
          firstCounter: counter,
          count,
          expected,
          text,
        });
      };
      if (counter > state.last + 1) {
        refuse('counter-gap', `counter ${counter} came, ${state.last + 1} is expected`, frame.count - k);
        break;
      }
      const start = at;
      // The request handler has parsed it already: an error here is a fault of ours, not a refusal.
      at = this.cursor.parse(frame.chunk.bytes, start, frame.to);
      const bad = this.envelopeError();
      if (bad) {
        refuse(bad.code, bad.message, 1);
        continue;
      }
      if (counter <= state.last) {
        this.answerKnown(frame, id, state, counter, refuse, known);
        continue;
      }
      run = this.enqueue(frame, chunk, start, at, id, state, counter, run);
    }
    // What was taken and what was refused leaves the request handler's count alike.
    this.queue.bytes += frame.to - frame.from;
    this.queue.items += frame.items;
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

  private useChunk(frame: SubmittedFrame): number {
    const { chunks } = this.queue;
    const used = chunks.get(frame.chunk.id);
    if (used) {
      used.frames++;
      return used.position;
    }
    chunks.set(frame.chunk.id, { position: chunks.size, bytes: frame.chunk.bytes, frames: 1 });
    return chunks.size - 1;
  }

  private enqueue(
    frame: SubmittedFrame,
    chunk: number,
    from: number,
    to: number,
    id: string,
    state: SenderState,
    counter: number,
    open: QueuedRun | null,
  ): QueuedRun {
    const { queue } = this;
    const x = queue.count++;
    this.makeRoom(queue);
    const row = rowAt(x, INBOX_ROW_BYTES);
    this.hasher.bundle(counter, this.cursor, queue.pages, row);
    const inEpoch = state.queuedIn === queue;
    // The epoch of a predecessor in this same queue is filled in at close.
    putInboxRow(
      queue.pages,
      row,
      queue.pages,
      row,
      UNSIGNED,
      inEpoch ? { ...state.place, epoch: 0 } : state.place,
    );
    let run = open;
    if (!run) {
      const { connection, slot } = frame;
      run = { connection, slot, sender: id, firstCounter: counter, firstIndex: x, inEpoch, count: 0 };
      queue.runs.push(run);
    }
    run.count++;
    putWhere(queue.where, x, chunk, from, to, queue.runs.length - 1);
    state.last = counter;
    state.place = { epoch: 0, inbox: this.options.index, index: x };
    state.queuedIn = queue;
    return run;
  }

  private makeRoom(queue: Queue): void {
    const pages = pagesBytes(queue.count, INBOX_ROW_BYTES);
    if (pages > queue.pages.length) queue.pages = this.memory.grow(queue.pages, queue.pages.length, pages);
    const where = queue.count * WHERE.fields * 4;
    if (where > queue.where.byteLength) {
      const block = new Uint8Array(queue.where.buffer);
      queue.where = words(this.memory.grow(block, block.length, where));
    }
  }

  // ---- duplicates

  private answerKnown(
    frame: SubmittedFrame,
    id: string,
    state: SenderState,
    counter: number,
    refuse: (code: ErrorCode, text: string, count: number) => void,
    known: PlacedRun[],
  ): void {
    this.hasher.bundle(counter, this.cursor, scratch, 0);
    const queued = this.findQueued(id, counter);
    if (queued) {
      if (!sameBytes(queued.pages, rowAt(queued.index, INBOX_ROW_BYTES), scratch, 0, 32)) {
        refuse('counter-conflict', `counter ${counter} was used for another message`, 1);
      }
      return; // its place follows when its epoch is committed
    }
    const found =
      counter > state.last - this.options.limits.countersKept ? this.findDurable(id, counter) : undefined;
    if (!found) return refuse('counter-expired', `counter ${counter} is too old to compare`, 1);
    if (!sameBytes(found.hash, 0, scratch, 0, 32)) {
      return refuse('counter-conflict', `counter ${counter} was used for another message`, 1);
    }
    const { connection, slot } = frame;
    known.push({ connection, slot, ...placeOf(found.place), firstCounter: counter, count: 1 });
  }

  private findQueued(id: string, counter: number): { pages: Uint8Array; index: number } | undefined {
    for (const queue of [this.queue, this.committing?.queue]) {
      for (const run of queue?.runs ?? []) {
        if (run.sender === id && counter >= run.firstCounter && counter < run.firstCounter + run.count) {
          return { pages: queue!.pages, index: run.firstIndex + counter - run.firstCounter };
        }
      }
    }
    return undefined;
  }

  private findDurable(id: string, counter: number): { place: Place; hash: Uint8Array } | undefined {
    let newest = this.senders.get(id)!.place;
    for (const queue of [this.queue, this.committing?.queue]) {
      const first = queue?.runs.find((run) => run.sender === id);
      if (first) newest = getPlace(queue!.pages, rowAt(first.firstIndex, INBOX_ROW_BYTES) + 64);
    }
    return findPlaced(this.options.reader, id, counter, newest);
  }

  private openSender({ connection, slot, sender }: OpenSender): void {
    const id = idAt(sender, 0);
    for (const queue of [this.queue, this.committing?.queue]) {
      for (const run of queue?.runs ?? []) if (run.sender === id) Object.assign(run, { connection, slot });
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
    this.queue = this.emptyQueue();
    this.number(context.epoch, queue);
    const batch = this.batchOf(queue);
    const attestation = this.attest(context, batch);
    this.send(address('router', index), {
      type: 'inbox-batch',
      context: contextOf(context),
      attestation,
      batch,
    });
    const records = this.records(context.epoch, batch);
    this.send(address('sequencer'), {
      type: 'attested',
      from: address('inbox', index),
      epoch: context.epoch,
      attestation,
      records,
    });
    if (queue.bytes > 0)
      this.send(address('gateway'), {
        type: 'queue-taken',
        inbox: index,
        bytes: queue.bytes,
        items: queue.items,
      });
  }

  /** Fills in the epoch of predecessors that lie in the epoch itself, and of the senders' last places. */
  private number(epoch: number, queue: Queue): void {
    for (const run of queue.runs) {
      const end = run.firstIndex + run.count;
      for (let x = run.inEpoch ? run.firstIndex : run.firstIndex + 1; x < end; x++) {
        putU64(queue.pages, rowAt(x, INBOX_ROW_BYTES) + 64, epoch);
      }
      const state = this.senders.get(run.sender)!;
      state.place = { epoch, inbox: this.options.index, index: end - 1 };
      state.queuedIn = null;
      this.senders.put(run.sender, state);
    }
  }

  private batchOf(queue: Queue): MessageBatch {
    const bytes = pagesBytes(queue.count, INBOX_ROW_BYTES);
    putPrefixes(queue.pages, queue.count, INBOX_ROW_BYTES, INBOX_PREFIX);
    const runs = new Uint8Array(queue.runs.length * RUN.bytes);
    queue.runs.forEach((run, i) => {
      const at = i * RUN.bytes;
      runs.set(Buffer.from(run.sender, 'latin1'), at);
      putU64(runs, at + RUN.counter, run.firstCounter);
      putU32(runs, at + RUN.first, run.firstIndex);
    });
    return {
      inbox: this.options.index,
      count: queue.count,
      pages: queue.pages.subarray(0, bytes),
      chunks: [...queue.chunks.values()].map((chunk) => chunk.bytes),
      where: queue.where,
      runs,
    };
  }

  private attest(context: EpochContext, batch: MessageBatch): SignedAttestation {
    const output = pagesOutput(batch.pages, batch.count, INBOX_ROW_BYTES);
    return attest(this.options, ROLE.inbox, context, [], [output]);
  }

  private records(epoch: number, batch: MessageBatch): StoreRecord[] {
    const { index, flushEpochs } = this.options;
    const records: StoreRecord[] = [];
    if (batch.count > 0) {
      records.push({ key: epochKey(TABLE.inboxRows, epoch, index), value: batch.pages });
      records.push({ key: epochKey(TABLE.senderRuns, epoch, index), value: batch.runs });
    }
    if (epoch - this.lastFlush >= flushEpochs && this.senders.changed > 0) {
      this.lastFlush = epoch;
      records.push(...this.senders.flush(), { key: this.flushMark(), value: numberValue(epoch) });
    }
    return records;
  }

  private committed({ epoch }: Committed): void {
    const done = this.committing;
    if (!done || done.epoch !== epoch)
      throw new Error(`inbox: epoch ${epoch} committed, ${done?.epoch ?? 'none'} expected`);
    this.committing = null;
    this.senders.flushed();
    const { queue } = done;
    this.memory.give(queue.pages);
    this.memory.give(new Uint8Array(queue.where.buffer));
    if (queue.runs.length > 0) {
      const runs = queue.runs.map(({ connection, slot, firstCounter, firstIndex, count }) => ({
        connection,
        slot,
        epoch,
        inbox: this.options.index,
        firstCounter,
        firstIndex,
        count,
      }));
      this.send(address('gateway'), { type: 'placed', runs });
    }
    if (queue.chunks.size > 0) {
      const chunks = [...queue.chunks].map(([id, { frames }]) => ({ id, frames }));
      this.send(address('gateway'), { type: 'released', chunks });
    }
    this.sayIfEmpty();
  }

  private sayIfEmpty(): void {
    if (this.draining && this.queue.count === 0 && !this.committing) {
      this.send(address('sequencer'), { type: 'empty', from: address('inbox', this.options.index) });
    }
  }
}

const scratch = new Uint8Array(32);

function words(block: Uint8Array): Uint32Array {
  return new Uint32Array(block.buffer);
}

function putWhere(where: Uint32Array, x: number, chunk: number, from: number, to: number, run: number): void {
  const at = x * WHERE.fields;
  where[at + WHERE.chunk] = chunk;
  where[at + WHERE.from] = from;
  where[at + WHERE.to] = to;
  where[at + WHERE.run] = run;
}

function placeOf(place: Place): { epoch: number; inbox: number; firstIndex: number } {
  return { epoch: place.epoch, inbox: place.inbox, firstIndex: place.index };
}
