/**
 * WebSockets of a browser, which can neither ping nor be read slowly: silence is asked by frames of the
 * protocol, and what comes while nobody reads is kept, up to a bound.
 */
import { FRAME, PING, SUBPROTOCOL } from '../protocol/index.js';
import { type Dial, SILENCE_MS, type Socket, type SocketEvents } from './socket.js';
import { afterTurn } from './turn.js';

/** Bytes kept while nothing is read: then the socket is closed, and the rest comes again on the next one. */
const KEPT_BYTES = 16 << 20;
const LOST = 1006;

export const dial: Dial = (url, events, silenceMs = SILENCE_MS) => new BrowserSocket(url, events, silenceMs);

class BrowserSocket implements Socket {
  private readonly socket: WebSocket;
  private readonly watch: ReturnType<typeof setInterval>;
  private answer: ReturnType<typeof setTimeout> | undefined;
  /** The server has spoken: before its challenge nothing may be asked. */
  private greeted = false;
  private heard = true;
  private over = false;
  private paused = false;
  /** What came while nothing was read, in order. */
  private kept: (() => void)[] = [];
  private keptBytes = 0;

  constructor(
    url: string,
    private readonly events: SocketEvents,
    private readonly silenceMs: number,
  ) {
    this.socket = new WebSocket(url, SUBPROTOCOL);
    this.socket.binaryType = 'arraybuffer';
    this.socket.onopen = () => events.opened();
    this.socket.onclose = ({ code, reason }) => this.lost(code, reason);
    this.socket.onmessage = ({ data }) => this.take(new Uint8Array(data));
    // The network may be another one now: connections of the old one are dead, and do not say so.
    addEventListener('online', this.ask);
    // A dead connection is noticed within one and a quarter of that, or later when the page is hidden and its timers slow.
    this.watch = setInterval(() => this.checkSilence(), silenceMs / 2);
  }

  private take(frame: Uint8Array): void {
    if (this.over) return;
    this.greeted = true;
    this.heard = true;
    clearTimeout(this.answer);
    this.answer = undefined;
    if (frame.length === 1 && frame[0] === FRAME.pong) return;
    this.keptBytes += frame.length;
    this.inOrder(() => {
      this.keptBytes -= frame.length;
      this.events.frame(frame);
    });
    if (this.keptBytes > KEPT_BYTES) this.lost(LOST, 'more comes than is read');
  }

  private inOrder(run: () => void): void {
    if (this.paused || this.kept.length > 0) this.kept.push(run);
    else run();
  }

  private checkSilence(): void {
    if (!this.heard) this.ask();
    this.heard = false;
  }

  private readonly ask = () => {
    if (!this.greeted || this.answer !== undefined) return;
    this.answer = setTimeout(() => this.lost(LOST, 'the server does not answer'), this.silenceMs / 4);
    this.send([PING]);
  };

  /** Told at once, not when a dead peer has let the closing handshake time out. */
  private lost(code: number, reason: string): void {
    if (this.over) return;
    this.stop();
    this.inOrder(() => this.events.closed(code, reason));
  }

  private stop(code?: number, reason?: string): void {
    this.over = true;
    clearInterval(this.watch);
    clearTimeout(this.answer);
    removeEventListener('online', this.ask);
    this.socket.close(code, reason);
  }

  send(frames: readonly Uint8Array[]): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    for (const frame of frames) this.socket.send(frame as Uint8Array<ArrayBuffer>);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (this.kept.length > 0) afterTurn(() => this.readKept());
  }

  private readKept(): void {
    while (!this.paused && this.kept.length > 0) this.kept.shift()!();
  }

  close(code: number, reason: string): void {
    this.kept = [];
    this.stop(code, reason);
  }
}
