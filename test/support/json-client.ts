/**
 * A client as a stranger writes one from docs/PROTOCOL.md: text over a WebSocket, `JSON.parse`, and the
 * slow twin for what is hashed and signed. It uses nothing of the product.
 */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import * as twin from '../twin/index.js';

// biome-ignore lint/suspicious/noExplicitAny: what the other side sends is looked at by the tests
export type Frame = { readonly type: string; readonly [name: string]: any };

const PATIENCE_MS = 60_000;
const NONCE = Buffer.alloc(32, 9);

export const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
export const unb64 = (text: string) => Buffer.from(text, 'base64url');
const NOTHING = { size: '0', root: b64(Buffer.alloc(32)), signature: b64(Buffer.alloc(64)) };

export class JsonClient {
  readonly closed: Promise<{ code: number; reason: string }>;
  serverId: Buffer = Buffer.alloc(32);
  private readonly frames: Frame[] = [];
  private wake: (() => void)[] = [];

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data, isBinary) => {
      if (isBinary) throw new Error('binary message on a JSON socket');
      this.frames.push(JSON.parse(String(data)));
      for (const wake of this.wake.splice(0)) wake();
    });
    socket.on('error', () => {});
    this.closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }));
  }

  static async connect(url: string, path: string): Promise<JsonClient> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, 'countersign.v1.json');
    const client = new JsonClient(socket);
    await once(socket, 'open');
    return client;
  }

  /** Through the handshake, with the mailbox of this secret key in slot 0; gives its state. */
  static async session(
    url: string,
    path: string,
    secret: Uint8Array,
    acknowledged = '0',
  ): Promise<{ client: JsonClient; state: Frame }> {
    const client = await JsonClient.connect(url, path);
    const kind = path === '/v1/front' ? 1 : 2;
    client.send({ type: 'hello', kind, nonce: b64(NONCE), checkpoint: NOTHING });
    const { serverId, challenge } = await client.next('challenge');
    client.serverId = unb64(serverId);
    const key = twin.publicKeyOf(secret);
    const signed = twin.sessionSigned({
      serverId: client.serverId,
      kind,
      serverChallenge: unb64(challenge),
      clientNonce: NONCE,
      key,
    });
    const signature = b64(twin.sign(secret, signed));
    client.send({ type: 'session', mailboxes: [{ key: b64(key), acknowledged, signature }] });
    return { client, state: (await client.next('opened'))['mailboxes'][0] };
  }

  send(frame: Frame): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** The next frame of this type; others before it stay out of sight. */
  async next(type: string): Promise<Frame> {
    const late = performance.now() + PATIENCE_MS;
    for (;;) {
      const at = this.frames.findIndex((frame) => frame.type === type);
      if (at >= 0) return this.frames.splice(0, at + 1)[at]!;
      if (performance.now() > late) throw new Error(`no ${type} came`);
      await new Promise<void>((resolve) => {
        this.wake.push(resolve);
        setTimeout(resolve, 200);
      });
    }
  }

  close(): void {
    this.socket.terminate();
  }
}
