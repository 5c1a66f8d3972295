/** Front session: one socket to the request handlers with many senders; frames out, hints and refusals in. */
import {
  type Checkpoint,
  type ErrorCode,
  type ErrorFrame,
  FRAME,
  type OpenedMailbox,
  SESSION_KIND,
} from '../protocol/index.js';
import type { Emitter } from './events.js';
import type { GatewayEvents } from './gateway-events.js';
import type { Member } from './member.js';
import { sending } from './sending.js';
import { Session, type SessionHost, type SessionOptions } from './session.js';

export interface FrontHost extends SessionHost {
  checkpoint(): Checkpoint;
  readonly events: Emitter<GatewayEvents>;
}

export class FrontSession extends Session<FrontHost> {
  private outgoing: Uint8Array[] = [];
  /** Set by what opens stages. */
  takeOpening?: (frame: Uint8Array) => void;

  constructor(
    members: readonly Member[],
    options: SessionOptions,
    private readonly afterSaves: (run: () => void) => void,
    host: FrontHost,
  ) {
    super(SESSION_KIND.front, members, options, host);
  }

  checkpoint(): Checkpoint {
    return this.host.checkpoint();
  }

  /** Mail is none of this socket's business. */
  protected acknowledgedBy(): number {
    return 0;
  }

  override opened(opened: readonly OpenedMailbox[]): void {
    this.connection.alive();
    super.opened(opened);
  }

  protected openedOne({ counters }: Member, slot: number, { lastCounter }: OpenedMailbox): void {
    counters.opened(slot, lastCounter);
  }

  lost(): void {
    this.outgoing = [];
    for (const { counters } of this.members) counters.disconnected();
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
    if (type === FRAME.opening) return this.takeOpening?.(frame);
    // Before anything is sent, nothing is placed.
    if (type === FRAME.placed && sending.loaded) sending.loaded.takePlaced(this, frame);
    else this.otherFrame(type, frame);
  }

  protected refused(_: ErrorCode | undefined, error: ErrorFrame, frame: Uint8Array): void {
    if (error.count > 0) this.memberAt(error.slot, frame).counters.sender?.refused(error);
  }
}
