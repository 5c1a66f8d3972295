/**
 * Inbox: takes bundles in, holds one epoch's queue, numbers it.
 *
 * In:  submit, open-sender (request handlers); close, committed, drain (sequencer); submission-verified (itself)
 * Out: inbox-batch (its router); attested, work, empty (sequencer); refused, placed, sender-opened,
 *      queue-taken, released (request handlers)
 * Owns: per sender the last counter and its place; the queue; frames whose signatures are being verified; the batch
 *      that is being committed.
 *
 * 1. A sender's counters are taken in exactly in order: last + 1. Everything else is refused with a
 *    code, or is a duplicate and gets its place. A refused bundle consumes no counter.
 * 2. Message hashes are the request handler's, who is in this process; `checks: everywhere` makes them again from the bytes.
 * 3. A message's index is its position in the queue; nothing is renumbered within an epoch.
 * 4. What is signed is verified before it is taken in, a frame as a whole; a sender's frames and sessions keep their order.
 * Never: looks at who receives, keeps bodies beyond the commit, signs an epoch twice.
 */
import {
  type Base,
  type BundleLimits,
  type EpochContext,
  type ErrorCode,
  getPlace,
  INBOX_ROW_BYTES,
  NO_PLACE,
  type Place,
  type Policy,
  ROLE,
  type SignedAttestation,
  SUBMISSIONS,
  sameBytes,
  submissionHash,
  UNSIGNED,
  viewOf,
} from '../protocol/index.js';
import { ActorFault, attest, contextOf, pagesOutput, type SignerOptions } from './attest.js';
import { FrameChecker, HashedFrame } from './hashed-frame.js';
import { idAt, idBytes } from './ids.js';
import { InboxAnswers } from './inbox-answers.js';
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
  type Send,
  type Stage,
  type StoreReader,
  type StoreRecord,
  type SubmissionVerified,
  type SubmittedFrame,
} from './messages.js';
import { findPlaced, replaySenders, type SenderState, senderCodec } from './sender-state.js';
import { type FlushOptions, StateTable } from './state-table.js';
import { epochKey, flushMarkKey, idKey, numberValue, TABLE } from './store-keys.js';
import { packSubmissions } from './submission-proofs.js';
import { type VerifySubmission, WaitingFrames } from './waiting-frames.js';

export interface InboxOptions extends SignerOptions, FlushOptions {
  readonly memory: Memory;
  readonly limits: BundleLimits & Pick<Policy, 'countersKept' | 'submissions'>;
  readonly verifySubmission: VerifySubmission;
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

/** Offset of the previous place in an inbox row. */
const PREVIOUS_AT = 64;

export class Inbox implements Stage {
  private readonly senders: StateTable<string, SenderState>;
  private readonly checker: FrameChecker;
  private readonly waiting: WaitingFrames;
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
    this.checker = new FrameChecker(options.serverId, options.limits);
    this.waiting = new WaitingFrames(options.serverId, options.verifySubmission, (number, isGood) =>
      send(address('inbox', index), { type: 'submission-verified', number, isGood }),
    );
    this.queue = new InboxQueue(options.memory, index);
    this.lastFlush = replaySenders(reader, index, lastEpoch, this.senders, this.flushMark());
  }

  private flushMark(): Uint8Array {
    return flushMarkKey('inbox', this.options.index);
  }

  handle(message: ActorMessage): void {
    switch (message.type) {
      case 'submit':
        return this.submit(message.frames);
      case 'submission-verified':
        return this.verified(message);
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
    this.answering((answers) => {
      for (const frame of frames) this.takeFrame(frame, answers);
    });
  }

  private answering(take: (answers: InboxAnswers) => void): void {
    const wasEmpty = this.queue.load.bytes === 0;
    const answers = new InboxAnswers();
    take(answers);
    answers.send(this.send);
    // Frames of which nothing was taken count, too: closing an epoch gives their memory back.
    if (wasEmpty && this.queue.load.bytes > 0) this.send(address('sequencer'), { type: 'work' });
  }

  private stateOf(id: string): SenderState {
    return this.senders.get(id) ?? { last: 0, place: NO_PLACE, queuedIn: null };
  }

  private takeFrame(frame: SubmittedFrame, answers: InboxAnswers): void {
    const id = idAt(frame.sender, 0);
    const { last } = this.stateOf(id);
    const hashed = new HashedFrame(frame);
    if (this.options.checkInputs) this.checkFrame(hashed, last);
    const waitsThrough = this.waiting.lastOf(id);
    const expected = Math.max(last, waitsThrough ?? 0) + 1;
    if (frame.firstCounter > expected) return this.refuseGap(frame, expected, answers);
    // What was taken in before is answered by its place, whoever has signed it.
    const isKnown = frame.firstCounter + frame.count - 1 <= last;
    const waits = !isKnown && (frame.signature !== null || waitsThrough !== undefined);
    if (waits) this.waiting.add(id, hashed);
    else this.take(hashed, null, answers);
  }

  /** Whoever handed it over signs nothing: the inbox would be guilty of what it takes in. */
  private checkFrame(hashed: HashedFrame, last: number): void {
    const { sender, signature } = hashed.frame;
    const { limits, index, inboxOf } = this.options;
    if (last === 0 && inboxOf(sender) !== index)
      throw new ActorFault('request handler: a frame of a sender that is placed at another inbox');
    if (!signature && limits.submissions === SUBMISSIONS.required)
      throw new ActorFault('request handler: a frame without the signature that the manifest requires');
    this.checker.check(hashed);
  }

  private verified({ number, isGood }: SubmissionVerified): void {
    this.answering((answers) => {
      for (const each of this.waiting.answered(number, isGood)) {
        if ('open' in each) this.openSender(each.open);
        else if (each.isGood) this.take(each.hashed, each.signed, answers);
        else {
          this.queue.countFrame(each.hashed.frame);
          answers.refuseSignature(each.hashed.frame);
        }
      }
    });
    this.sayIfEmpty();
  }

  /** Takes in what has hashes. `signed`: the bytes that a good signature is over. */
  private take(hashed: HashedFrame, signed: Uint8Array | null, answers: InboxAnswers): void {
    const { frame } = hashed;
    const { firstCounter, count, signature } = frame;
    const id = idAt(frame.sender, 0);
    const state = this.stateOf(id);
    // Of what it came behind something may have been refused meanwhile.
    if (firstCounter > state.last + 1) return this.refuseGap(frame, state.last + 1, answers);
    this.queue.countFrame(frame);
    this.lookups.left = LOOKUPS_PER_FRAME;
    const known = Math.min(count, Math.max(0, state.last - firstCounter + 1));
    for (let k = 0; k < known; k++) this.answerKnown(hashed, k, id, state, answers);
    if (known < count) {
      const submission = signed && signature ? submissionHash(signed, signature) : UNSIGNED;
      const run = this.enqueue(hashed, known, id, state, submission);
      if (signed && signature) {
        const taken = { firstRow: run.firstIndex, rows: run.count, signature };
        this.queue.submissions.push({ ...taken, known: hashed.messageHashes(0, known) });
      }
    }
  }

  private refuseGap(frame: SubmittedFrame, expected: number, answers: InboxAnswers): void {
    this.queue.countFrame(frame);
    answers.refuseGap(frame, frame.firstCounter, frame.count, expected);
  }

  private enqueue(
    hashed: HashedFrame,
    known: number,
    id: string,
    state: SenderState,
    submission: Uint8Array,
  ): QueuedRun {
    const { queue } = this;
    const { frame } = hashed;
    const run = queue.startRun(frame, id, frame.firstCounter + known, state.queuedIn === queue);
    const view = viewOf(submission);
    for (let k = known; k < frame.count; k++) {
      const index = queue.add(hashed, k, view, state.place);
      state.last = frame.firstCounter + k;
      state.place = { epoch: 0, inbox: this.options.index, index };
      state.queuedIn = queue;
    }
    this.senders.put(id, state);
    return run;
  }

  // ---- duplicates

  private answerKnown(
    hashed: HashedFrame,
    k: number,
    id: string,
    state: SenderState,
    answers: InboxAnswers,
  ): void {
    const { frame } = hashed;
    const hash = hashed.messageHashes(k, k + 1);
    const counter = frame.firstCounter + k;
    const refused = (code: ErrorCode, text: string) => answers.refuse(frame, code, counter, 1, text);
    const conflict = () => refused('counter-conflict', `counter ${counter} was used for another message`);
    const queued = this.findQueued(frame, id, counter);
    if (queued) {
      // The same message: its place follows when its epoch is committed.
      if (!sameBytes(queued, 0, hash, 0, 32)) conflict();
      return;
    }
    const found =
      counter > state.last - this.options.limits.countersKept
        ? this.findDurable(id, state, counter)
        : undefined;
    if (!found && this.lookups.left < 0) return refused('busy', 'too many known counters in one frame');
    if (!found) return refused('counter-expired', `counter ${counter} is too old to compare`);
    if (!sameBytes(found.hash, 0, hash, 0, 32)) return conflict();
    answers.place(frame, counter, found.place);
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

  private openSender(message: OpenSender): void {
    const { connection, slot, sender } = message;
    const id = idAt(sender, 0);
    if (this.waiting.addSession(id, message)) return;
    for (const queue of [this.queue, this.committing?.queue]) queue?.answerTo(id, connection, slot);
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
    const records = this.records(context.epoch, batch, queue);
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
    return attest(this.options, ROLE.inbox, context, [], [output], this.told);
  }

  private records(epoch: number, batch: MessageBatch, { submissions }: InboxQueue): StoreRecord[] {
    const { index, flushEpochs, flushChanged } = this.options;
    const records: StoreRecord[] = [];
    if (submissions.length > 0) {
      records.push({ key: epochKey(TABLE.submissions, epoch, index), value: packSubmissions(submissions) });
    }
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
    const isEmpty = this.queue.count === 0 && !this.committing && this.waiting.isEmpty;
    if (this.draining && isEmpty) {
      this.send(address('sequencer'), { type: 'empty', from: address('inbox', this.options.index) });
    }
  }
}
