/** The two ports: HTTP or HTTPS servers that listen, with their addresses and their end. */
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { OperatorError, systemCode } from './operator-error.js';
import type { Certificate } from './tls.js';

export type PortServer = HttpServer | HttpsServer;

export interface Port {
  readonly server: PortServer;
  /** `http://host:port`, or https. */
  readonly url: string;
  close(): Promise<void>;
}

/** Connections not accepted yet: all clients of a server that was away come back at once. */
const BACKLOG = 8192;
/** How often connections are looked at that send no request. */
const CHECK_MS = 5000;

/** `patienceMs`: for the TLS handshake and the head of a request. */
export async function listen(
  requests: RequestListener,
  host: string,
  port: number,
  patienceMs: number,
  certificate: Certificate | null = null,
): Promise<Port> {
  const times = {
    headersTimeout: patienceMs,
    requestTimeout: patienceMs,
    connectionsCheckingInterval: Math.min(patienceMs, CHECK_MS),
  };
  const server = certificate
    ? createTlsServer({ ...times, handshakeTimeout: patienceMs, ...certificate.context }, requests)
    : createServer(times, requests);
  // All of them: the HTTP server forgets those that were upgraded or refused it, or are in a TLS handshake.
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port)));
    server.listen({ port, host, backlog: BACKLOG }, resolve);
  });
  const shown = host.includes(':') ? `[${host}]` : host;
  const scheme = certificate ? 'https' : 'http';
  return {
    server,
    url: `${scheme}://${shown}:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

function listenError(error: Error, host: string, port: number): Error {
  const code = systemCode(error);
  if (code === 'EADDRINUSE') {
    return new OperatorError(
      'address-in-use',
      `another process listens on ${host}:${port}`,
      'Give another port, or 0 for any free one.',
      { cause: error },
    );
  }
  return new OperatorError(
    'address-unusable',
    `cannot listen on ${host}:${port}: ${error.message}`,
    'Give an address of this machine.',
    { cause: error },
  );
}
