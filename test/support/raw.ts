/** A client that keeps no rule but those the test gives it: frames by hand over a real WebSocket. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { importSecretKey, type Signer } from '#crypto';
import {
  type Checkpoint,
  decodeChallenge,
  decodeError,
  decodeOpened,
  type ErrorFrame,
  encodeHello,
  encodeSession,
  FRAME,
  type OpenedMailbox,
  SESSION_KIND,
  type SessionKind,
  SUBPROTOCOL,
  sessionBytes,
} from '../../src/protocol/index.js';
import { keyOf } from './names.js';

export const NO_CHECKPOINT: Checkpoint = { size: 0, root: new Uint8Array(32), signature: new Uint8Array(64) };
const PATIENCE_MS = 60_000;
const NONCE = new Uint8Array(32).fill(9);

export class Raw {
  readonly frames: Uint8Array[] = [];
  private wake: (() => void)[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  private challenge: Uint8Array = new Uint8Array(32);
  private serverId: Uint8Array = new Uint8Array(32);

  private constructor(
    readonly socket: WebSocket,
    private readonly kind: SessionKind,
  ) {
    socket.on('message', (data: Buffer) => {
      this.frames.push(Uint8Array.from(data));
      for (const wake of this.wake.splice(0)) wake();
    });
    socket.on('error', () => {});
    this.closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }));
  }

  static async connect(url: string, path: string): Promise<Raw> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, SUBPROTOCOL);
    const raw = new Raw(socket, path === '/v1/front' ? SESSION_KIND.front : SESSION_KIND.outbox);
    const failed = raw.closed.then(({ code }) => Promise.reject(new Error(`not connected: ${code}`)));
    failed.catch(() => {});
    await Promise.race([once(socket, 'open'), failed]);
    return raw;
  }

  send(frame: Uint8Array): void {
    this.socket.send(frame);
  }

  /** The next frame of this type; others before it stay out of sight. */
  async next(type: number): Promise<Uint8Array> {
    const late = performance.now() + PATIENCE_MS;
    for (;;) {
      const at = this.frames.findIndex((frame) => frame[0] === type);
      if (at >= 0) return this.frames.splice(0, at + 1)[at]!;
      if (performance.now() > late) throw new Error(`no frame of type ${type} came`);
      await new Promise<void>((resolve) => {
        this.wake.push(resolve);
        setTimeout(resolve, 200);
      });
    }
  }

  async error(): Promise<ErrorFrame> {
    return decodeError(await this.next(FRAME.error));
  }

  helloFrame(checkpoint = NO_CHECKPOINT): Uint8Array {
    return encodeHello({ kind: this.kind, nonce: NONCE, checkpoint });
  }

  async greet(checkpoint = NO_CHECKPOINT): Promise<Uint8Array> {
    this.send(this.helloFrame(checkpoint));
    const { challenge, serverId } = decodeChallenge(await this.next(FRAME.challenge));
    this.challenge = challenge;
    this.serverId = serverId;
    return challenge;
  }

  /** A session of this key; over another challenge than the socket's, if one is given. */
  sessionFrame(name: string, challenge = this.challenge, key?: Uint8Array): Uint8Array {
    const signer: Signer = importSecretKey(keyOf(name));
    const claimed = key ?? signer.publicKey;
    const signature = signer.sign(sessionBytes(this.serverId, this.kind, challenge, NONCE, claimed));
    return encodeSession([{ key: claimed, acknowledged: 0, signature }]);
  }

  async open(name: string): Promise<OpenedMailbox> {
    return this.opened(this.sessionFrame(name));
  }

  async opened(frame: Uint8Array): Promise<OpenedMailbox> {
    this.send(frame);
    return decodeOpened(await this.next(FRAME.opened))[0]!;
  }

  /** Through the handshake, with one mailbox open in slot 0. */
  static async session(url: string, path: string, name: string): Promise<Raw> {
    const raw = await Raw.connect(url, path);
    await raw.greet();
    await raw.open(name);
    return raw;
  }

  close(): void {
    this.socket.terminate();
  }
}
