/** What a connection needs of a WebSocket: websocket.ts gives it on Node, a browser has its own. */

export interface SocketEvents {
  opened(): void;
  frame(frame: Uint8Array): void;
  /** Called once, also when the socket never opened. `code` 1006 = no closing handshake. */
  closed(code: number, reason: string): void;
}

export interface Socket {
  /** Sends frames in one go. */
  send(frames: readonly Uint8Array[]): void;
  /** Reads nothing more until `resume`. */
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
}

/** A server that says nothing for `silenceMs` is gone: the socket is given up. */
export type Dial = (url: string, events: SocketEvents, silenceMs?: number) => Socket;

export const SILENCE_MS = 40_000;
