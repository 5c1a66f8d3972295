/**
 * Outbox session: one socket to one outbox with all mailboxes that live there. Owns how far the log is
 * known on this socket; verifies every frame before anything of it is taken over.
 */
import type { Signer } from '#crypto';
import {
  type Checkpoint,
  type CountersignError,
  decodeEndOfBacklog,
  encodeAck,
  encodeAskStill,
  FRAME,
  Frontier,
  type OpenedMailbox,
  SESSION_KIND,
} from '../protocol/index.js';
import { Connection, type ConnectionHost, type ConnectionOptions } from './connection.js';
import { EMPTY_LOG, type LogState } from './log-state.js';
import { isLink, type Mailbox } from './mailbox.js';
import type { Participant, Persister } from './persister.js';
import type { SignatureCache } from './signature-cache.js';
import type { Change, SavedLog } from './store.js';
import { overFrame, VerificationError } from './verification-error.js';
import { type Obligation, verifyCheckpoint, verifyDeliver } from './verifier.js';

export interface OutboxHost {
  opened(): void;
  lost(): void;
  gone(error: CountersignError, slot: number): void;
  endOfBacklog(mailbox: Mailbox, epoch: number): void;
  /** An error frame about one mailbox. */
  refused(frame: Uint8Array, session: OutboxSession): void;
}

export class OutboxSession implements ConnectionHost, Participant {
  readonly connection: Connection;
  private log: LogState;
  private changed = false;
  private saving: Checkpoint;
  /** Of the log, once it is saved: until then its signature may be under check. */
  proven: Checkpoint;
  /** Mailboxes that have caught up on this socket. */
  private live = new Set<number>();
  private readonly wantStill = new Set<number>();
  private acks: { slot: number; epoch: number }[] = [];
  /** Bytes of messages that the application has not taken yet. */
  private weight = 0;
  private paused = false;

  constructor(
    readonly outbox: number,
    readonly signers: readonly Signer[],
    readonly mailboxes: readonly Mailbox[],
    private readonly options: Omit<ConnectionOptions, 'kind'>,
    private readonly bufferBytes: number,
    private readonly signatures: SignatureCache,
    saved: SavedLog | undefined,
    private readonly persister: Persister,
    private readonly host: OutboxHost,
  ) {
    this.log = saved
      ? {
          checkpoint: saved.checkpoint,
          frontier: Frontier.from(saved.checkpoint.size, saved.frontier),
          lastEpoch: 0,
        }
      : EMPTY_LOG;
    this.saving = this.log.checkpoint;
    this.proven = this.saving;
    this.connection = new Connection(
      { ...options, kind: SESSION_KIND.outbox, url: () => this.persister.checked().then(options.url) },
      this,
    );
  }

  // ---- the connection's side

  checkpoint(): Checkpoint {
    return this.log.checkpoint;
  }

  acknowledged(slot: number): number {
    return this.mailboxes[slot]!.offer();
  }

  opened(opened: readonly OpenedMailbox[]): void {
    this.live = new Set();
    this.acks = [];
    opened.forEach((told, slot) => {
      this.mailboxes[slot]!.opened(told);
    });
    this.sendAcks();
    if (this.paused) this.connection.pause();
    this.host.opened();
  }

  lost(): void {
    this.live = new Set();
    this.host.lost();
  }

  gone(error: CountersignError): void {
    this.host.gone(error, -1);
  }

  frame(type: number, frame: Uint8Array): void {
    if (type === FRAME.deliver) return this.deliver(frame);
    if (type === FRAME.checkpoint) return this.follow(frame);
    if (type === FRAME.endOfBacklog) return this.caughtUp(frame);
    if (type === FRAME.error) return this.host.refused(frame, this);
    throw new VerificationError('format', `frame of type ${type} on an outbox socket`, frame);
  }

  // ---- frames

  private deliver(frame: Uint8Array): void {
    const stateOf = (slot: number) => this.mailboxes[slot]?.state ?? undefined;
    const verified = verifyDeliver(this.options.world, this.outbox, this.log, stateOf, frame);
    this.discharge(verified.obligations, frame);
    // Two passes: a frame is taken over whole or not at all.
    for (const mailbox of verified.mailboxes)
      if (isLink(mailbox)) this.mailboxes[mailbox.slot]!.checkAgain(mailbox, frame);
    this.advance(verified.log);
    for (const verifiedMailbox of verified.mailboxes) {
      const mailbox = this.mailboxes[verifiedMailbox.slot]!;
      if (isLink(verifiedMailbox))
        this.weight += mailbox.takeLink(verifiedMailbox, this.live.has(verifiedMailbox.slot));
      else mailbox.takeStill(verifiedMailbox);
    }
    this.checkWeight();
  }

  private follow(frame: Uint8Array): void {
    const { log, obligation } = verifyCheckpoint(this.options.world, this.log, frame);
    this.discharge([obligation], frame);
    this.advance(log);
  }

  private discharge(obligations: readonly Obligation[], frame: Uint8Array): void {
    for (const { key, bytes, signature, step } of obligations) {
      const refuse = () => {
        throw new VerificationError(step, 'a signature does not verify', frame);
      };
      const verified = this.signatures.verify(key, bytes, signature);
      if (verified === false) refuse();
      else if (verified !== true) this.persister.restOn(verified.then((good) => good || refuse()));
    }
  }

  private advance(log: LogState): void {
    this.connection.alive();
    if (log === this.log) return;
    this.log = log;
    if (this.changed) return;
    this.changed = true;
    this.persister.mark(this);
  }

  private caughtUp(frame: Uint8Array): void {
    const { slot, epoch } = overFrame(frame, () => decodeEndOfBacklog(frame));
    const mailbox = this.mailboxes[slot];
    if (!mailbox) throw new VerificationError('slot', `slot ${slot} is not open`, frame);
    mailbox.caughtUp();
    this.connection.alive();
    this.live.add(slot);
    if (this.wantStill.has(slot)) this.connection.send([encodeAskStill([slot])]);
    this.host.endOfBacklog(mailbox, epoch);
  }

  // ---- what is asked and said

  /** Asks for a still as soon as the mailbox has caught up, and again should the socket be lost before. */
  askStill(slot: number): void {
    this.wantStill.add(slot);
    if (this.live.has(slot)) this.connection.send([encodeAskStill([slot])]);
  }

  stood(slot: number): void {
    this.wantStill.delete(slot);
  }

  acknowledge(slot: number, epoch: number): void {
    if (!this.connection.isOpen) return; // the next session says it
    this.acks.push({ slot, epoch });
    if (this.acks.length === 1) this.persister.afterSaves(() => this.sendAcks());
  }

  private sendAcks(): void {
    if (this.acks.length > 0) this.connection.send([encodeAck(this.acks)]);
    this.acks = [];
  }

  /** The application has taken messages of so many bytes. */
  taken(weight: number): void {
    this.weight -= weight;
    if (!this.paused || this.weight > this.bufferBytes / 2) return;
    this.paused = false;
    this.connection.resume();
  }

  private checkWeight(): void {
    if (this.paused || this.weight <= this.bufferBytes) return;
    this.paused = true;
    this.connection.pause();
  }

  // ---- saving

  changes(out: Change[]): void {
    this.changed = false;
    const { checkpoint, frontier } = this.log;
    this.saving = checkpoint;
    out.push({ type: 'log', outbox: this.outbox, log: { checkpoint, frontier: frontier.packed() } });
  }

  saved(): void {
    this.proven = this.saving;
  }
}
