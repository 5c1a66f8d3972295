/** Session: one socket with many mailboxes, each in its slot. What the two kinds of it have in common. */
import {
  type Checkpoint,
  CountersignError,
  decodeError,
  type ErrorCode,
  type ErrorFrame,
  errorCode,
  FRAME,
  type OpenedMailbox,
  type SessionKind,
} from '../protocol/index.js';
import {
  Connection,
  type ConnectionHost,
  type ConnectionOptions,
  type Request,
  type Retry,
} from './connection.js';
import { type Member, refusal } from './member.js';
import { overFrame, VerificationError } from './verification-error.js';

/** What both kinds of sessions tell the gateway. */
export interface SessionHost {
  /** Every mailbox is answered. */
  opened(): void;
  retrying(retry: Retry): void;
  /** One mailbox is over. */
  ended(member: Member, error: CountersignError): void;
  /** The whole socket is, for good. */
  gone(error: CountersignError): void;
}

export type SessionOptions = Omit<ConnectionOptions, 'kind'>;

export abstract class Session<Host extends SessionHost> implements ConnectionHost {
  readonly connection: Connection;
  slots: readonly Member[] = [];

  constructor(
    kind: SessionKind,
    readonly members: readonly Member[],
    options: SessionOptions,
    readonly host: Host,
  ) {
    this.connection = new Connection({ ...options, kind }, this);
  }

  abstract checkpoint(): Checkpoint;
  abstract lost(): void;
  abstract frame(type: number, frame: Uint8Array): void;
  /** The epoch through which its mail is acknowledged. */
  protected abstract acknowledgedBy(member: Member): number;
  protected abstract openedOne(member: Member, slot: number, told: OpenedMailbox): void;
  /** An error frame that does not end a mailbox. */
  protected abstract refused(code: ErrorCode | undefined, error: ErrorFrame, frame: Uint8Array): void;

  requests(): Request[] {
    this.slots = this.members.filter(({ problem }) => !problem);
    return this.slots.map((member) => ({
      identity: member.identity,
      acknowledged: this.acknowledgedBy(member),
    }));
  }

  opened(opened: readonly OpenedMailbox[]): void {
    for (const [slot, told] of opened.entries()) {
      const member = this.slots[slot]!;
      if (member.problem) continue;
      if (told.error === 0) this.openedOne(member, slot, told);
      else this.host.ended(member, refusal(told.error));
    }
    this.host.opened();
  }

  memberAt(slot: number, frame: Uint8Array): Member {
    const member = this.slots[slot];
    if (!member) throw new VerificationError('slot', `slot ${slot} is not open`, frame);
    return member;
  }

  /** A frame that is of no kind of its own: an error, or one that does not belong here. */
  protected otherFrame(type: number, frame: Uint8Array): void {
    if (type !== FRAME.error) throw new VerificationError('format', `frame of type ${type}`, frame);
    const error = overFrame(frame, () => decodeError(frame));
    const code = errorCode(error.number);
    if (code === 'displaced')
      this.host.ended(this.memberAt(error.slot, frame), new CountersignError(code, error.text));
    else this.refused(code, error, frame);
  }

  retrying(retry: Retry): void {
    this.host.retrying(retry);
  }

  gone(error: CountersignError): void {
    this.host.gone(error);
  }

  close(): void {
    this.connection.close();
  }
}
