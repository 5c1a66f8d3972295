/** WebSockets on Node, by `ws`: frames corked, silence noticed. */
import WebSocket from 'ws';
import { SUBPROTOCOL } from '../protocol/index.js';
import { type Dial, SILENCE_MS, type Socket, type SocketEvents } from './socket.js';

/** A mailbox's part of one epoch is never split over frames: 32 MiB of bodies, and what belongs to them. */
const MAX_FRAME_BYTES = 128 << 20;
const HANDSHAKE_TIMEOUT_MS = 10_000;

export const dial: Dial = (url, events, silenceMs = SILENCE_MS) => new NodeSocket(url, events, silenceMs);

class NodeSocket implements Socket {
  private readonly ws: WebSocket;
  private readonly watch: ReturnType<typeof setInterval>;
  private heard = true;
  private asked = false;
  private error = '';

  constructor(url: string, events: SocketEvents, silenceMs: number) {
    this.ws = new WebSocket(url, SUBPROTOCOL, {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      skipUTF8Validation: true,
    });
    this.ws.on('open', () => events.opened());
    this.ws.on('message', (data: Buffer) => {
      this.heard = true;
      events.frame(new Uint8Array(data.buffer, data.byteOffset, data.length));
    });
    this.ws.on('pong', () => {
      this.heard = true;
    });
    this.ws.on('error', (error) => {
      this.error = error.message;
    });
    this.ws.on('close', (code, reason) => {
      clearInterval(this.watch);
      events.closed(code, reason.toString() || this.error);
    });
    // Who says nothing for half the time is asked.
    this.watch = setInterval(() => this.checkSilence(), silenceMs / 2);
    this.watch.unref();
  }

  private checkSilence(): void {
    if (this.ws.isPaused || this.heard) this.asked = false;
    else if (this.asked) return this.ws.terminate();
    else if (this.ws.readyState === WebSocket.OPEN) {
      this.asked = true;
      this.ws.ping();
    }
    this.heard = false;
  }

  send(frames: readonly Uint8Array[]): void {
    if (this.ws.readyState !== WebSocket.OPEN) return;
    // ws keeps its net.Socket in this field; without it the frames go out one by one.
    const { _socket: socket } = this.ws as unknown as { _socket?: { cork(): void; uncork(): void } };
    socket?.cork();
    for (const frame of frames) this.ws.send(frame);
    socket?.uncork();
  }

  pause(): void {
    if (this.ws.readyState === WebSocket.OPEN) this.ws.pause();
  }

  resume(): void {
    this.ws.resume();
  }

  close(code: number, reason: string): void {
    if (this.ws.readyState === WebSocket.CONNECTING) this.ws.terminate();
    else this.ws.close(code, reason);
  }
}
