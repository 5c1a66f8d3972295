/** What request handlers keep per socket. */
import type { ChainState, OpenedMailbox, SessionKind } from '../protocol/index.js';

/** A socket, as its listener gives it. */
export interface ClientSocket {
  /** Queues a frame; a turn's frames leave together. `counted` ones are reported when the socket has taken them. */
  send(frame: Uint8Array, counted: boolean): void;
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
}

/** One mailbox (outbox socket) or sender (front socket) of a connection. There may be a million of them. */
export interface Slot {
  /** The key, 32 bytes; on an outbox socket empty, as nobody asks for it. */
  readonly sender: Uint8Array;
  readonly inbox: number;
  readonly outbox: number;
  /** It is open, or it is told why it is not. */
  answered: boolean;
  open: boolean;
  /** A newer session of the key has taken over. */
  displaced: boolean;
  /** Of a sender that is not answered yet. */
  chain: ChainState | null;
  /** Of a sender, as it was opened. */
  lastCounter: number;
}

/** A session frame that is not answered yet. */
export interface Opening {
  readonly first: number;
  readonly count: number;
  left: number;
  /** By slot, from the first. */
  readonly answers: OpenedMailbox[];
}

export interface ClientConnection {
  readonly number: number;
  readonly socket: ClientSocket;
  readonly kind: SessionKind;
  /** Of an outbox socket. */
  readonly outbox: number;
  nonce: Uint8Array | null;
  /** Null before hello. */
  challenge: Uint8Array | null;
  /** Size of the client's newest checkpoint, from its hello. */
  logSize: number;
  readonly slots: Slot[];
  /** Session frames that are not answered yet, in order. */
  readonly opening: Opening[];
  /** What is told of open mailboxes, and waits until every session frame is answered. */
  readonly outgoing: { readonly frame: Uint8Array; readonly counted: boolean }[];
  /** Frames that wait for room in an epoch; the socket is paused meanwhile. */
  held: Uint8Array[];
  /** Since when the first of them waits. */
  heldSince: number | null;
  ended: boolean;
}

export function newConnection(
  number: number,
  socket: ClientSocket,
  kind: SessionKind,
  outbox: number,
): ClientConnection {
  return {
    number,
    socket,
    kind,
    outbox,
    nonce: null,
    challenge: null,
    logSize: 0,
    slots: [],
    opening: [],
    outgoing: [],
    held: [],
    heldSince: null,
    ended: false,
  };
}

/** Tells something of open mailboxes: never before the session frame that opens them is answered. */
export function tell(connection: ClientConnection, frame: Uint8Array, counted: boolean): void {
  if (connection.opening.length > 0) connection.outgoing.push({ frame, counted });
  else connection.socket.send(frame, counted);
}

/** Every session frame is answered. */
export function tellWaiting(connection: ClientConnection): void {
  for (const { frame, counted } of connection.outgoing.splice(0)) connection.socket.send(frame, counted);
}
