/** Front session: one socket to the request handlers with all senders; frames out, hints and refusals in. */
import type { Signer } from '#crypto';
import {
  type Checkpoint,
  CountersignError,
  decodeError,
  decodePlaced,
  type ErrorFrame,
  errorCode,
  FRAME,
  NO_SLOT,
  type OpenedMailbox,
  type Placed,
  SESSION_KIND,
} from '../protocol/index.js';
import { Connection, type ConnectionHost, type ConnectionOptions } from './connection.js';
import type { Sender } from './sender.js';
import { overFrame, VerificationError } from './verification-error.js';

export interface FrontHost {
  checkpoint(): Checkpoint;
  opened(): void;
  lost(): void;
  gone(error: CountersignError, slot: number): void;
  placed(placed: Placed): void;
}

export class FrontSession implements ConnectionHost {
  readonly connection: Connection;
  private outgoing: Uint8Array[] = [];

  constructor(
    readonly signers: readonly Signer[],
    private readonly senders: readonly Sender[],
    options: Omit<ConnectionOptions, 'kind'>,
    private readonly afterSaves: (run: () => void) => void,
    private readonly host: FrontHost,
  ) {
    this.connection = new Connection({ ...options, kind: SESSION_KIND.front }, this);
  }

  checkpoint(): Checkpoint {
    return this.host.checkpoint();
  }

  acknowledged(): number {
    return 0;
  }

  opened(opened: readonly OpenedMailbox[]): void {
    opened.forEach(({ lastCounter }, slot) => {
      this.senders[slot]!.opened(slot, lastCounter);
    });
    this.connection.alive();
    this.host.opened();
  }

  lost(): void {
    this.outgoing = [];
    for (const sender of this.senders) sender.disconnected();
    this.host.lost();
  }

  gone(error: CountersignError): void {
    this.host.gone(error, NO_SLOT);
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
      const sender = this.senderAt(placed.slot, frame);
      for (const { counter } of placed.messages) sender.placed(counter);
      this.host.placed(placed);
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
    const code = errorCode(error.number);
    if (code === 'displaced')
      return this.host.gone(new CountersignError('displaced', error.text), error.slot);
    if (error.count > 0) this.senderAt(error.slot, frame).refused(error);
  }

  private senderAt(slot: number, frame: Uint8Array): Sender {
    const sender = this.senders[slot];
    if (!sender) throw new VerificationError('slot', `slot ${slot} is not open`, frame);
    return sender;
  }
}
