/** Clients that verify nothing and keep nothing, so that the server is what is measured. */
import { randomBytes } from 'node:crypto';
import WebSocket from 'ws';
import type { Signer } from '#crypto';
import * as p from '../src/protocol/index.js';
import { signerOf } from './systems/countersign-keys.js';

const NO_CHECKPOINT = { size: 0, root: new Uint8Array(32), signature: new Uint8Array(64) };

/**
 * Opens a socket with these mailboxes; `onFrame` gets the frames that say so and every one after them. Rejects when it is refused
 * or closed before they are open. With `text` the socket speaks JSON, and `onFrame` gets the texts.
 */
export function open(
  url: string,
  kind: p.SessionKind,
  signers: readonly Signer[],
  onFrame: (frame: Buffer, socket: WebSocket) => void,
  text = false,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const protocol = text ? p.JSON_SUBPROTOCOL : p.SUBPROTOCOL;
    const send = (frame: Uint8Array) => socket.send(text ? p.frameToJson(frame) : frame);
    const socket = new WebSocket(url, [protocol], { perMessageDeflate: false, maxPayload: 1 << 28 });
    const nonce = randomBytes(32);
    /** Mailboxes that the server has answered for. */
    let opened = 0;
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
    socket.on('open', () => send(p.encodeHello({ kind, nonce, checkpoint: NO_CHECKPOINT })));
    socket.on('message', (data) => {
      const message = data as Buffer;
      if (opened === signers.length) return onFrame(message, socket);
      const frame = text ? p.frameFromJson(String(message)) : message;
      if (frame[0] === p.FRAME.challenge) {
        const { serverId, challenge } = p.decodeChallenge(frame);
        const sessions = signers.map(({ publicKey: key, sign }) => {
          return {
            key,
            acknowledged: 0,
            signature: sign(p.sessionBytes(serverId, kind, challenge, nonce, key)),
          };
        });
        for (let from = 0; from < sessions.length; from += p.MAX_SESSIONS_PER_FRAME)
          send(p.encodeSession(sessions.slice(from, from + p.MAX_SESSIONS_PER_FRAME)));
      } else if (frame[0] === p.FRAME.opened) {
        opened += p.decodeOpened(frame).length;
        onFrame(message, socket);
        if (opened === signers.length) resolve(socket);
      } else if (frame[0] === p.FRAME.error) reject(new Error(p.decodeError(frame).text));
      else onFrame(message, socket);
    });
  });
}

/** Sends bundles on a front socket, so many under way; resolves when `count` are placed. */
export class LightSender {
  /** Highest counters sent and placed. */
  private sent = 0;
  private placed = 0;
  private wake: () => void = () => {};
  private socket!: WebSocket;

  static async open(base: string, name: string): Promise<LightSender> {
    const sender = new LightSender();
    const onFrame = (frame: Buffer) => {
      if (frame[0] === p.FRAME.opened) sender.sent = sender.placed = p.decodeOpened(frame)[0]!.lastCounter;
      if (frame[0] === p.FRAME.error) throw new Error(p.decodeError(frame).text);
      if (frame[0] === p.FRAME.placed) sender.placed += p.getU16(frame, 13);
      sender.wake();
    };
    sender.socket = await open(`${base}/v1/front`, p.SESSION_KIND.front, [signerOf(name)], onFrame);
    return sender;
  }

  /** `bundle` makes the i-th. Frames of `perFrame`. */
  async run(
    count: number,
    window: number,
    perFrame: number,
    bundle: (i: number) => Uint8Array,
    progress: (placed: number) => void,
  ): Promise<void> {
    const first = this.placed;
    for (;;) {
      while (this.sent < first + count && this.sent - this.placed < window) {
        const i = this.sent - first;
        const bundles = Array.from({ length: Math.min(perFrame, count - i) }, (_, k) => bundle(i + k));
        this.socket.send(p.encodeSubmit(0, this.sent + 1, bundles));
        this.sent += bundles.length;
      }
      progress(this.placed - first);
      if (this.placed - first >= count) return;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  close(): void {
    this.socket.terminate();
  }
}

/** A bundle for these mailboxes. */
export function bundleFor(mailboxes: readonly Uint8Array[], bytes = 128): Uint8Array {
  const list = mailboxes.map((mailbox) => ({ mailbox, envelope: new Uint8Array(0) }));
  return p.encodeBundle(list, randomBytes(bytes), randomBytes(32));
}
