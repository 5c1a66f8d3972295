/**
 * Outbox session: one socket to one outbox with all mailboxes that live there. Owns how far the log is
 * known on this socket; verifies every frame before anything of it is taken over.
 */
import {
  type Checkpoint,
  CountersignError,
  decodeEndOfBacklog,
  type ErrorCode,
  type ErrorFrame,
  encodeAck,
  encodeAskStill,
  FRAME,
  Frontier,
  type OpenedMailbox,
  SESSION_KIND,
} from '../protocol/index.js';
import { EMPTY_LOG, type LogState } from './log-state.js';
import { knowsEpoch, type Member } from './member.js';
import type { Participant, Persister } from './persister.js';
import { Session, type SessionHost, type SessionOptions } from './session.js';
import type { Change, SavedLog } from './store.js';
import { overFrame, VerificationError } from './verification-error.js';
import {
  isLink,
  type Obligation,
  type VerifiedMailbox,
  verifyCheckpoint,
  verifyDeliver,
} from './verifier.js';

export interface OutboxHost extends SessionHost {
  endOfBacklog(member: Member, epoch: number): void;
  /** Whether no other socket to the same outbox knows more of the log. */
  knowsMost(session: OutboxSession): boolean;
}

export interface OutboxOptions extends SessionOptions {
  readonly bufferBytes: number;
  readonly unreadMs: number;
}

/** The log behind the frame; the frame, and the leaves in it unless it is a checkpoint. */
export type Watch = (log: LogState, frame: Uint8Array, leaves?: readonly VerifiedMailbox[]) => void;

export class OutboxSession extends Session<OutboxHost> implements Participant {
  /** As far as it is known on this socket. */
  log: LogState;
  marked = false;
  private changed = false;
  /** What the last save had of the log: none before the first. */
  private saving?: Checkpoint;
  /** Of the log, once it is saved: until then its signature may be under check. */
  proven: Checkpoint;
  /** @internal */
  slotOf = new Map<Member, number>();
  /** Mailboxes that have caught up on this socket. @internal */
  live = new Set<Member>();
  /** Mailboxes that are asked of where they stand (stands.ts). @internal */
  readonly wantStill = new Set<Member>();
  /** Backlogs that have come, and are told of once they are saved and shown. */
  private ended: (() => void)[] = [];
  private ending: (() => void)[] = [];
  private acks: { slot: number; epoch: number }[] = [];
  /** Bytes of its members' messages that the application has not taken yet. @internal */
  weight = 0;
  /** @internal */
  paused = false;
  /** Told of every frame that was verified, before it is taken over (session-log.ts). */
  watch?: Watch;
  /** Told of those that some of its mailboxes go on in. */
  parted?: (made: readonly OutboxSession[]) => void;
  /** Runs while paused. @internal */
  unread: ReturnType<typeof setInterval> | undefined;
  /** The application took something since it last ran. */
  private tookSome = false;

  constructor(
    public outbox: number,
    members: readonly Member[],
    private readonly options: OutboxOptions,
    saved: SavedLog | undefined,
    private readonly persister: Persister,
    host: OutboxHost,
  ) {
    const url = () => persister.checked().then(options.url);
    super(SESSION_KIND.outbox, members, { ...options, url }, host);
    this.log = saved
      ? {
          checkpoint: saved.checkpoint,
          frontier: Frontier.from(saved.checkpoint.size, saved.frontier),
          lastEpoch: 0,
        }
      : EMPTY_LOG;
    this.proven = this.log.checkpoint;
  }

  // ---- the connection's side

  checkpoint(): Checkpoint {
    return this.log.checkpoint;
  }

  protected acknowledgedBy({ mailbox }: Member): number {
    return mailbox.offer();
  }

  override opened(opened: readonly OpenedMailbox[]): void {
    this.slotOf = new Map(this.slots.map((member, slot) => [member, slot]));
    this.live = new Set();
    this.acks = [];
    super.opened(opened);
    this.sendAcks();
    if (this.paused) this.connection.pause();
  }

  protected openedOne({ mailbox }: Member, _: number, told: OpenedMailbox): void {
    mailbox.opened(told);
  }

  lost(): void {
    this.live = new Set();
  }

  frame(type: number, frame: Uint8Array): void {
    if (type === FRAME.deliver) this.deliver(frame);
    else if (type === FRAME.checkpoint) this.follow(frame);
    else if (type === FRAME.endOfBacklog) this.caughtUp(frame);
    else this.otherFrame(type, frame);
  }

  protected refused(code: ErrorCode | undefined, _: ErrorFrame, frame: Uint8Array): void {
    knowsEpoch(code, frame);
  }

  // ---- frames

  private deliver(frame: Uint8Array): void {
    const stateOf = (slot: number) => this.slots[slot]?.mailbox.state ?? undefined;
    const verified = verifyDeliver(this.options.world, this.outbox, this.log, stateOf, frame);
    this.discharge(verified.obligations, frame);
    // Two passes: a frame is taken over whole or not at all.
    for (const mailbox of verified.mailboxes)
      if (isLink(mailbox)) this.slots[mailbox.slot]!.mailbox.checkAgain(mailbox, frame);
    this.advance(verified.log, frame, verified.mailboxes);
    for (const leaf of verified.mailboxes) {
      const member = this.slots[leaf.slot]!;
      if (isLink(leaf)) this.weigh(member, member.mailbox.takeLink(leaf, this.live.has(member)));
      else member.mailbox.takeStill(leaf);
    }
    this.checkWeight();
  }

  private follow(frame: Uint8Array): void {
    const { log, obligations } = verifyCheckpoint(this.options.world, this.log, frame);
    this.discharge(obligations, frame);
    this.advance(log, frame);
  }

  private discharge(obligations: readonly Obligation[], frame: Uint8Array): void {
    for (const { key, bytes, signature, step } of obligations) {
      const refuse = () => {
        throw new VerificationError(step, 'a signature does not verify', frame);
      };
      const verified = key.verify(bytes, signature);
      if (verified === false) refuse();
      else if (verified !== true) this.persister.restOn(verified.then((good) => good || refuse()));
    }
  }

  private advance(log: LogState, frame: Uint8Array, leaves?: readonly VerifiedMailbox[]): void {
    this.watch?.(log, frame, leaves);
    this.connection.alive();
    if (log === this.log) return;
    this.log = log;
    if (this.changed) return;
    this.changed = true;
    this.persister.mark(this);
  }

  private caughtUp(frame: Uint8Array): void {
    const { slot, epoch } = overFrame(frame, () => decodeEndOfBacklog(frame));
    const member = this.memberAt(slot, frame);
    member.mailbox.caughtUp();
    this.connection.alive();
    // A mailbox that has fallen behind on this socket catches up again: a still that was asked for is lost then.
    const isFirst = !this.live.has(member);
    this.live.add(member);
    if (this.wantStill.has(member)) this.connection.send([encodeAskStill([slot])]);
    if (!isFirst) return;
    this.ended.push(() => this.host.endOfBacklog(member, epoch));
    this.persister.mark(this);
  }

  // ---- what is asked and said

  acknowledge(member: Member, epoch: number): void {
    if (!this.connection.isOpen || member.problem) return; // the next session says it
    this.acks.push({ slot: this.slotOf.get(member)!, epoch });
    if (this.acks.length === 1) this.persister.afterSaves(() => this.sendAcks());
  }

  private sendAcks(): void {
    if (this.acks.length > 0) this.connection.send([encodeAck(this.acks)]);
    this.acks = [];
  }

  private weigh(member: Member, bytes: number): void {
    member.weight += bytes;
    this.weight += bytes;
  }

  /** The application has taken messages of so many bytes of a mailbox. */
  taken(member: Member, weight: number): void {
    this.weigh(member, -weight);
    this.tookSome = true;
    if (!this.paused || this.weight > this.options.bufferBytes / 2) return;
    this.paused = false;
    clearInterval(this.unread);
    this.connection.resume();
  }

  /** Receipts come on the same socket: whoever waits for one before he reads on must be told. @internal */
  checkWeight(): void {
    if (this.paused || this.weight <= this.options.bufferBytes) return;
    this.paused = true;
    this.connection.pause();
    this.tookSome = false;
    this.unread = setInterval(() => {
      if (!this.tookSome) this.delay();
      this.tookSome = false;
    }, this.options.unreadMs);
  }

  /** What waits for something that stands behind messages which the application does not take is told so. */
  private delay(): void {
    const text = `it waits behind ${this.options.bufferBytes} bytes not taken`;
    const error = new CountersignError('receipt-delayed', text);
    for (const { counters, stands } of this.members) {
      counters.sender?.delay(error);
      stands?.fail(error);
    }
  }

  override close(): void {
    clearInterval(this.unread);
    super.close();
  }

  // ---- saving

  changes(out: Change[]): void {
    this.ending = this.ended;
    this.ended = [];
    if (!this.changed) return;
    this.changed = false;
    const { checkpoint, frontier } = this.log;
    this.saving = checkpoint;
    if (!this.host.knowsMost(this)) return;
    out.push({ type: 'log', outbox: this.outbox, log: { checkpoint, frontier: frontier.packed() } });
  }

  saved(): void {
    this.proven = this.saving ?? this.proven;
    for (const tell of this.ending) this.persister.afterSaves(tell);
  }
}
