/** A TCP proxy that can fall silent: connections stay, and nothing goes through any more. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface SilentProxy {
  readonly url: string;
  /** Nothing more goes through; what is opened from now on does. */
  silence(): void;
  /** Connections to the server behind it that this one has closed. */
  readonly cut: number;
  close(): void;
}

export async function silentProxy(url: string): Promise<SilentProxy> {
  const { hostname: host, port } = new URL(url);
  const pairs: [Socket, Socket][] = [];
  const all: Socket[] = [];
  let cut = 0;
  const server = createServer((near) => {
    const far = connect({ host, port: Number(port) });
    pairs.push([near, far]);
    all.push(near, far);
    near.pipe(far).pipe(near);
    far.once('close', () => cut++);
    for (const socket of [near, far]) socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cut() {
      return cut;
    },
    silence() {
      // What arrives is read and lost, so that even an end is not passed on.
      for (const pair of pairs.splice(0))
        for (const socket of pair) {
          socket.unpipe();
          socket.removeAllListeners('end');
          socket.resume();
        }
    },
    close() {
      server.close();
      for (const socket of all) socket.destroy();
    },
  };
}
