/** A network between a client and a server, to be cut, to go dead without a word, and to lie. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A binary WebSocket message of up to 64 KiB that is a deliver frame with a proof that extends the log. */
const DELIVERY = /\x82~[\s\S]{2}\x84\0/;
const HEADER = 4;
/** Type, mode, log index and size come before the checkpoint's signature. */
const SIGNATURE = 18;

export class Network {
  private readonly sockets = new Set<Socket>();
  /** Connections stay, and nothing goes through. */
  dead = false;
  /** Flips a bit in the signature of each new checkpoint. */
  forging = false;
  forged = 0;

  private constructor(
    private readonly far: number,
    private readonly server: Server,
  ) {
    server.on('connection', (near) => this.join(near, connect(this.far, '127.0.0.1')));
  }

  static async to(url: string): Promise<Network> {
    const server = createServer();
    const network = new Network(Number(new URL(url).port), server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return network;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  private join(near: Socket, far: Socket): void {
    const pass = (from: Socket, to: Socket, change: (data: Buffer) => Buffer) => {
      this.sockets.add(from);
      let isDead = false;
      from.on('data', (data) => {
        // Who was connected while the network was dead never hears from it again.
        isDead ||= this.dead;
        if (!isDead) to.write(change(data));
      });
      from.on('error', () => {});
      from.on('close', () => {
        this.sockets.delete(from);
        if (!isDead) to.destroy();
      });
    };
    pass(near, far, (data) => data);
    pass(far, near, (data) => (this.forging ? this.forge(data) : data));
  }

  private forge(data: Buffer): Buffer {
    const at = data.toString('latin1').search(DELIVERY);
    if (at < 0) return data;
    this.forged++;
    data[at + HEADER + SIGNATURE + 5]! ^= 1;
    return data;
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.server.close();
    this.cut();
  }
}
