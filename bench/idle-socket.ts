/** A socket that is mostly idle: opens one mailbox, acknowledges what comes, and comes back when it is cut off. */
import type WebSocket from 'ws';
import type { Signer } from '#crypto';
import * as p from '../src/protocol/index.js';
import { open } from './light-client.js';

const FIRST_MS = 50;
const MOST_MS = 5000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export class IdleSocket {
  private socket: WebSocket | null = null;
  private closing = false;
  /** Times that it had to try again. */
  retries = 0;
  /** Entries that came, and those that did not come after all others before them. */
  entries = 0;
  misordered = 0;
  private lastPlace = 0;

  constructor(
    /** Without a path, ws:// */
    private readonly base: string,
    private readonly kind: p.SessionKind,
    private readonly signer: Signer,
  ) {}

  /** Resolves when it is open; tries until it is, with random delays up to a bound that doubles. */
  async connect(): Promise<void> {
    const url = this.base + (this.kind === p.SESSION_KIND.front ? '/v1/front' : '/v1/outboxes/0');
    for (let most = FIRST_MS; !this.closing; most = Math.min(MOST_MS, 2 * most)) {
      try {
        this.socket = await open(url, this.kind, [this.signer], (frame, socket) => this.take(frame, socket));
        return;
      } catch {
        this.retries++;
        await pause(Math.random() * most);
      }
    }
  }

  /** Resolves when the other side has cut it off. */
  lost(): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket!.readyState === this.socket!.CLOSED) resolve();
      else this.socket!.once('close', () => resolve());
    });
  }

  private take(frame: Buffer, socket: WebSocket): void {
    if (frame[0] !== p.FRAME.deliver) return;
    const { epoch, mailboxes } = p.decodeDeliver(frame);
    for (const mailbox of mailboxes) {
      if (mailbox.kind !== p.MAILBOX_KIND.link) continue;
      for (const { index } of mailbox.entries) {
        const place = epoch.epoch * 2 ** 20 + index;
        if (place <= this.lastPlace) this.misordered++;
        this.lastPlace = place;
        this.entries++;
      }
      socket.send(p.encodeAck([{ slot: mailbox.slot, epoch: epoch.epoch }]));
    }
  }

  /** Stops reading, down to TCP. */
  pause(): void {
    this.socket!.pause();
  }

  resume(): void {
    this.socket!.resume();
  }

  close(): void {
    this.closing = true;
    this.socket?.terminate();
  }
}
