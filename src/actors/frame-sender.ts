/**
 * Sends an outbox's frames to sockets, as far as these have room. Of an epoch that is being written all but the heads of its frames
 * can be made ready; they go out when it is committed.
 */
import type { BundleLimits, Checkpoint } from '../protocol/index.js';
import type { CommittedEpoch } from './committed-epochs.js';
import { DeliveryFrames } from './delivery-frames.js';
import { address, type Send, type StoreReader } from './messages.js';
import { Outstanding, type OutstandingOptions } from './outstanding.js';
import type { SignedEpoch } from './signed-epoch.js';
import type { Connection, Due, Ready } from './subscription.js';

export interface FrameSenderOptions extends OutstandingOptions {
  readonly reader: StoreReader;
  readonly limits: BundleLimits;
  /** The newest at start. */
  readonly checkpoint: Checkpoint;
}

export class FrameSender {
  private readonly frames: DeliveryFrames;
  private readonly outstanding: Outstanding;

  /** `sockets`: how many there are. */
  constructor(
    options: FrameSenderOptions,
    private readonly sockets: () => number,
    private readonly send: Send,
  ) {
    this.frames = new DeliveryFrames(options.reader, options.limits, options.checkpoint);
    this.outstanding = new Outstanding(options);
  }

  /** The newest that it was told. */
  get checkpoint(): Checkpoint {
    return this.frames.checkpoint;
  }

  set checkpoint(newest: Checkpoint) {
    this.frames.checkpoint = newest;
  }

  hasRoom({ bytes }: Connection): boolean {
    return this.outstanding.hasRoom(bytes, this.sockets());
  }

  /** The socket has taken so many bytes more. */
  drained({ bytes }: Connection, taken: number): void {
    this.outstanding.take(bytes, taken);
  }

  close({ bytes }: Connection): void {
    this.outstanding.close(bytes);
  }

  /** Makes what an epoch has for a socket, in one frame or several, as far as there is room. */
  ready(connection: Connection, epoch: SignedEpoch, due: readonly Due[]): readonly Ready[] {
    const ready: Ready[] = [];
    for (let next = 0; next < due.length && this.hasRoom(connection); ) {
      const made = this.frames.tail(epoch, due, next);
      next = made.next;
      ready.push({ tail: this.outstanding.keep(connection.bytes, made.tail), next });
    }
    return ready;
  }

  /** It will not be sent. */
  drop({ bytes }: Connection, ready: readonly Ready[]): void {
    for (const { tail } of ready) this.outstanding.drop(bytes, tail);
  }

  /** Sends what is ready of an epoch. */
  deliver(connection: Connection, epoch: CommittedEpoch, ready: readonly Ready[]): void {
    for (const { tail } of ready) {
      const head = this.frames.head(connection, epoch);
      this.post(connection, this.outstanding.seal(connection.bytes, head, tail));
    }
  }

  /** An epoch is through. */
  forget(): void {
    this.frames.forget();
  }

  /** Under the newest checkpoint a backlog is proven. Nothing is sent to who has it. */
  bringCheckpoint(connection: Connection): void {
    const frame = this.frames.checkpointFor(connection);
    if (frame) this.emit(connection, frame);
  }

  /** A short frame that is no delivery. */
  emit(connection: Connection, frame: Uint8Array): void {
    this.outstanding.send(connection.bytes, frame.length);
    this.post(connection, frame.slice());
  }

  private post({ number }: Connection, frame: Uint8Array): void {
    this.send(address('gateway'), { type: 'frames', connection: number, frames: [frame] });
  }
}
