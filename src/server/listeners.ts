/**
 * The sockets of the front port. The only home of ws on the server.
 *
 * WebSocket: /v1/front for senders, /v1/outboxes/N for the mailboxes of outbox N. A turn's frames to
 * one socket leave in one write; a frame of a delivery is reported when the socket has taken it. Frames
 * become JSON and JSON frames here (protocol/json.ts): nothing behind a listener knows which it was.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ClientSocket } from '../actors/client-connection.js';
import { collectYoung } from '../actors/collect-garbage.js';
import { errorFrame } from '../actors/sessions.js';
import {
  ERRORS,
  FormatError,
  frameFromJson,
  frameToJson,
  JSON_SUBPROTOCOL,
  NO_SLOT,
  SESSION_KIND,
  type SessionKind,
  SUBPROTOCOL,
} from '../protocol/index.js';
import { REFUSED_ORIGIN, refusedUpgrade } from './http.js';
import { allowsOrigin } from './origins.js';
import type { PortServer } from './ports.js';

export interface ListenerLimits {
  /** Bytes of one WebSocket message. */
  readonly frameBytes: number;
  readonly sockets: number;
  readonly handshakeMs: number;
  /** After so long without a word from its peer a socket is cut. */
  readonly silenceMs: number;
  /** Of deliveries to one socket, as binary frames; other frames may take as much again before it is cut off. */
  readonly bytesInFlight: number;
}

/** What sockets do, told to the request handler. */
export interface SocketEvents {
  connected(connection: number, socket: ClientSocket, kind: SessionKind, outbox: number): void;
  frame(connection: number, frame: Uint8Array): void;
  /** A message that is no frame; `text` says why. */
  malformed(connection: number, text: string): void;
  drained(connection: number, bytes: number): void;
  handshakeTimeout(connection: number): void;
  closed(connection: number): void;
}

export interface Listener {
  readonly sockets: number;
  /** Limits have changed: new sockets have the new ones. */
  applyLimits(): void;
  /** Takes no more connections; those that are open stay. */
  refuse(): void;
  /** Cuts what is still open. */
  terminate(): void;
}

/** So many pings go out in `silenceMs`, each time to one of so many shares of the sockets. */
const PINGS = 4;
const SHARES = 32;
/** Who is paused, by us or by a slow application, reads no pings: such a peer gets so many times as long. */
const SLOWER = 5;
/** Sockets opened in one turn of the event loop: some milliseconds. */
const UPGRADES_PER_TURN = 32;
/** The first that the client offers is taken. */
const PROTOCOLS = [SUBPROTOCOL, JSON_SUBPROTOCOL];
/** Who is turned away has so long to close its side. */
const TURNED_AWAY_MS = 1000;
/** Connections beyond sockets: plain HTTP, and those that are being turned away. */
const SPARE_CONNECTIONS = 1000;

export function listenForClients(
  server: PortServer,
  outboxes: number,
  limits: () => ListenerLimits,
  origins: () => string,
  events: SocketEvents,
): Listener {
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: true,
    handleProtocols: (offered) => PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
  });
  const inTurn = turns(UPGRADES_PER_TURN);
  let refusing = false;
  let next = 1;
  const peers = new Set<Peer>();

  const applyLimits = () => {
    webSockets.options.maxPayload = limits().frameBytes;
    server.maxConnections = limits().sockets + SPARE_CONNECTIONS;
  };
  applyLimits();
  server.on('upgrade', (request, stream, head) => {
    stream.on('error', () => stream.destroy());
    const target = parseTarget(request, outboxes);
    // Nobody else closes it, should its peer not.
    const refuse = (...why: Parameters<typeof refusedUpgrade>) =>
      stream.end(refusedUpgrade(...why), () => stream.destroy());
    if (!allowsOrigin(origins(), request.headers.origin))
      return refuse('403 Forbidden', 'origin-refused', REFUSED_ORIGIN);
    if (!target) return refuse('404 Not Found', 'not-found', 'no such path or outbox');
    if (!offersProtocol(request))
      return refuse('400 Bad Request', 'bad-request', `offer ${PROTOCOLS.join(' or ')}`);
    inTurn(() => {
      if (refusing) return refuse('503 Service Unavailable', 'restarting', 'the server is stopping');
      // A socket that has gone meanwhile is found out by ws.
      webSockets.handleUpgrade(request, stream, head, (socket) => {
        socket.on('error', () => {}); // ws closes the socket itself, with the right code
        if (webSockets.clients.size > limits().sockets) return turnAway(socket);
        watch(peers, next, socket, stream);
        serve(next++, socket, stream, target, limits, events);
      });
    });
  });

  let share = 0;
  let timer: NodeJS.Timeout;
  const askSome = () => {
    share = (share + 1) % SHARES;
    for (const peer of peers) if (peer.share === share) ask(peer);
    timer = setTimeout(askSome, limits().silenceMs / (PINGS * SHARES)).unref();
  };
  askSome();

  return {
    get sockets() {
      return webSockets.clients.size;
    },
    applyLimits,
    refuse() {
      refusing = true;
    },
    terminate() {
      clearTimeout(timer);
      for (const socket of webSockets.clients) socket.terminate();
    },
  };
}

/** Runs what comes in order, so much in a turn of the event loop: a crowd waits, not those who are here. */
function turns(perTurn: number): (run: () => void) => void {
  let waiting: (() => void)[] = [];
  const some = () => {
    const now = waiting.slice(0, perTurn);
    waiting = waiting.slice(perTurn);
    if (waiting.length > 0) setImmediate(some);
    for (const run of now) run();
  };
  return (run) => {
    if (waiting.push(run) === 1) setImmediate(some);
  };
}

/** A socket that is watched for silence. */
interface Peer {
  readonly share: number;
  readonly socket: WebSocket;
  readonly stream: Socket;
  /** Bytes read when it was last looked at, and how often nothing has come since. */
  read: number;
  missed: number;
}

function watch(peers: Set<Peer>, number: number, socket: WebSocket, stream: Duplex): void {
  const peer = { share: number % SHARES, socket, stream: stream as Socket, read: 0, missed: 0 };
  peers.add(peer);
  socket.on('close', () => peers.delete(peer));
}

/** Whether the peer lives: whatever it has sent says so. What is missed is counted, not timed: we may have stood still. */
function ask(peer: Peer): void {
  const { socket, stream } = peer;
  peer.missed = stream.bytesRead === peer.read ? peer.missed + 1 : 0;
  peer.read = stream.bytesRead;
  const most = socket.isPaused || socket.bufferedAmount > 0 ? PINGS * SLOWER : PINGS;
  if (peer.missed > most) socket.terminate();
  else socket.ping();
}

interface Target {
  readonly kind: SessionKind;
  readonly outbox: number;
}

function parseTarget({ url }: IncomingMessage, outboxes: number): Target | null {
  if (url === '/v1/front') return { kind: SESSION_KIND.front, outbox: 0 };
  const outbox = Number(/^\/v1\/outboxes\/(0|[1-9]\d{0,4})$/.exec(url ?? '')?.[1] ?? Number.NaN);
  return outbox < outboxes ? { kind: SESSION_KIND.outbox, outbox } : null;
}

function offersProtocol({ headers }: IncomingMessage): boolean {
  const offered = headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((protocol) => PROTOCOLS.includes(protocol.trim()));
}

const isJson = (socket: WebSocket) => socket.protocol === JSON_SUBPROTOCOL;

/** The frame in a client's message. Throws `FormatError` on one that is none. */
function frameOf(socket: WebSocket, message: Buffer, isBinary: boolean): Uint8Array {
  if (isBinary === isJson(socket))
    throw new FormatError(`${isBinary ? 'binary' : 'text'} message on ${socket.protocol}`);
  return isBinary ? message : frameFromJson(message.toString());
}

function turnAway(socket: WebSocket): void {
  const frame = errorFrame('too-many-sockets', 'the server has as many sockets as it may', NO_SLOT);
  socket.send(isJson(socket) ? frameToJson(frame) : frame);
  socket.close(ERRORS['too-many-sockets'].close, 'too-many-sockets');
  setTimeout(() => socket.terminate(), TURNED_AWAY_MS).unref();
}

/**
 * What sockets have read lies outside of V8's heap and is soon garbage. V8 counts it until a collection comes, and collects all of
 * the heap, 10 ms, when there is too much of it: unless what is young has been collected before.
 */
const READ_BYTES = 8 << 20;
let readBytes = 0;

function hasRead(bytes: number): void {
  readBytes += bytes;
  if (readBytes < READ_BYTES) return;
  readBytes = 0;
  collectYoung();
}

function serve(
  connection: number,
  socket: WebSocket,
  stream: Duplex,
  { kind, outbox }: Target,
  limits: () => ListenerLimits,
  events: SocketEvents,
): void {
  const json = isJson(socket);
  let corked = false;
  let taken = 0;
  /** Bytes of frames that the socket has not taken yet, where what it holds is not frames but text. */
  let waiting = 0;
  const report = () => {
    const bytes = taken;
    taken = 0;
    events.drained(connection, bytes);
  };
  const client: ClientSocket = {
    send(frame, counted) {
      if (socket.readyState !== socket.OPEN) return;
      // Deliveries wait in the outbox for a slow reader; answers have nowhere to wait.
      if (!counted && (json ? waiting : socket.bufferedAmount) > 2 * limits().bytesInFlight) {
        return socket.close(ERRORS['reader-too-slow'].close, 'reader-too-slow');
      }
      if (!corked) {
        corked = true;
        stream.cork();
        setImmediate(() => {
          corked = false;
          stream.uncork();
        });
      }
      if (!counted && !json) return socket.send(frame);
      waiting += frame.length;
      socket.send(json ? frameToJson(frame) : frame, () => {
        waiting -= frame.length;
        if (!counted) return;
        if (taken === 0) setImmediate(report);
        taken += frame.length;
      });
    },
    close: (code, reason) => socket.close(code, reason),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  };
  const handshake = setTimeout(() => events.handshakeTimeout(connection), limits().handshakeMs);
  socket.on('message', (data, isBinary) => {
    hasRead((data as Buffer).length);
    let frame: Uint8Array;
    try {
      frame = frameOf(socket, data as Buffer, isBinary);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return events.malformed(connection, error.message);
    }
    events.frame(connection, frame);
  });
  socket.on('close', () => {
    clearTimeout(handshake);
    events.closed(connection);
  });
  events.connected(connection, client, kind, outbox);
}
