/** Front session: one socket to the request handlers with many senders; frames out, hints and refusals in. */
import {
  type Checkpoint,
  CountersignError,
  decodeError,
  decodePlaced,
  type ErrorFrame,
  errorCode,
  FRAME,
  type OpenedMailbox,
  type Placed,
  SESSION_KIND,
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

export interface FrontHost extends SessionHost {
  checkpoint(): Checkpoint;
  placed(member: Member, placed: Placed): void;
}

export class FrontSession implements ConnectionHost {
  readonly connection: Connection;
  private slots: readonly Member[] = [];
  private outgoing: Uint8Array[] = [];

  constructor(
    readonly members: readonly Member[],
    options: Omit<ConnectionOptions, 'kind'>,
    private readonly afterSaves: (run: () => void) => void,
    private readonly host: FrontHost,
  ) {
    this.connection = new Connection({ ...options, kind: SESSION_KIND.front }, this);
  }

  checkpoint(): Checkpoint {
    return this.host.checkpoint();
  }

  requests(): Request[] {
    this.slots = this.members.filter(({ problem }) => !problem);
    return this.slots.map(({ identity }) => ({ identity, acknowledged: 0 }));
  }

  opened(opened: readonly OpenedMailbox[]): void {
    this.connection.alive();
    opened.forEach(({ error, lastCounter }, slot) => {
      const member = this.slots[slot]!;
      if (member.problem) return;
      if (error !== 0) this.host.ended(member, refusal(error));
      else member.sender.opened(slot, lastCounter);
    });
    this.host.opened();
  }

  lost(): void {
    this.outgoing = [];
    for (const { sender } of this.members) sender.disconnected();
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

  /** Frames of all senders of a turn go out together. */
  submit(frames: readonly Uint8Array[]): void {
    if (this.outgoing.length === 0) this.afterSaves(() => this.sendAll());
    this.outgoing.push(...frames);
  }

  private sendAll(): void {
    const frames = this.outgoing;
    this.outgoing = [];
    if (frames.length > 0) this.connection.send(frames);
  }

  frame(type: number, frame: Uint8Array): void {
    if (type === FRAME.placed) {
      const placed = overFrame(frame, () => decodePlaced(frame));
      const member = this.memberAt(placed.slot, frame);
      const { epoch, inbox } = placed;
      for (const { counter, index } of placed.messages)
        member.sender.placed(counter, { epoch, inbox, index });
      this.host.placed(member, placed);
    } else if (type === FRAME.error) {
      this.refused(
        overFrame(frame, () => decodeError(frame)),
        frame,
      );
    } else {
      throw new VerificationError('format', `frame of type ${type} on a front socket`, frame);
    }
  }

  private refused(error: ErrorFrame, frame: Uint8Array): void {
    if (errorCode(error.number) === 'displaced')
      this.host.ended(this.memberAt(error.slot, frame), new CountersignError('displaced', error.text));
    else if (error.count > 0) this.memberAt(error.slot, frame).sender.refused(error);
  }

  private memberAt(slot: number, frame: Uint8Array): Member {
    const member = this.slots[slot];
    if (!member) throw new VerificationError('slot', `slot ${slot} is not open`, frame);
    return member;
  }
}
