/**
 * Every error that crosses the wire or ends a command. `temporary`: trying again later can succeed.
 * `close`: the WebSocket close code when the error ends the connection (3000–3499 come back,
 * 3500–3999 stay away). Numbers are part of the wire and never reused.
 */

export interface ErrorKind {
  readonly number: number;
  readonly temporary: boolean;
  readonly close?: number;
}

export const ERRORS = {
  // The connection: sent before it is closed.
  'malformed-frame': { number: 1, temporary: false, close: 3500 },
  'unexpected-frame': { number: 2, temporary: false, close: 3501 },
  'handshake-timeout': { number: 3, temporary: true, close: 3000 },
  'too-many-sockets': { number: 4, temporary: true, close: 3001 },
  displaced: { number: 5, temporary: false, close: 4409 },
  restarting: { number: 6, temporary: true, close: 1012 },
  'reader-too-slow': { number: 7, temporary: true, close: 3002 },
  // One mailbox of a session frame, or one acknowledgment.
  'session-refused': { number: 20, temporary: false },
  'mailbox-not-registered': { number: 21, temporary: false },
  'wrong-outbox': { number: 22, temporary: false },
  'too-many-mailboxes': { number: 23, temporary: false, close: 3500 },
  'ack-unknown-epoch': { number: 24, temporary: false },
  // Bundles: a refused bundle consumes no counter.
  'bundle-malformed': { number: 40, temporary: false },
  'bundle-too-large': { number: 41, temporary: false },
  'too-many-bundles': { number: 42, temporary: false },
  'no-such-mailbox': { number: 43, temporary: false },
  'counter-conflict': { number: 44, temporary: false },
  'counter-expired': { number: 45, temporary: false },
  'counter-gap': { number: 46, temporary: true },
  busy: { number: 47, temporary: true },
  'mailbox-full': { number: 48, temporary: true },
  // HTTP.
  'not-found': { number: 60, temporary: false },
  'bad-request': { number: 61, temporary: false },
  'origin-refused': { number: 62, temporary: false },
  // Found by a client; never sent.
  'verification-failed': { number: 100, temporary: false },
  'wrong-server': { number: 101, temporary: false },
  'connection-lost': { number: 102, temporary: true },
  closed: { number: 103, temporary: false },
  aborted: { number: 104, temporary: false },
  'store-corrupt': { number: 105, temporary: false },
  'store-locked': { number: 106, temporary: true },
  'store-unusable': { number: 107, temporary: true },
  'receipt-delayed': { number: 108, temporary: true },
  'receipt-lost': { number: 109, temporary: false },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

const byNumber = new Map<number, ErrorCode>(
  Object.entries(ERRORS).map(([code, { number }]) => [number, code as ErrorCode]),
);

/** The code with this number on the wire; undefined for a number of a newer server. */
export function errorCode(number: number): ErrorCode | undefined {
  return byNumber.get(number);
}

export interface CountersignErrorOptions extends ErrorOptions {
  readonly mailbox?: string;
}

/** One request failed, or the process must stop: which, is for the catcher. `code` is stable. */
export class CountersignError extends Error {
  override name = 'CountersignError';
  /** Of a refusal on account of one recipient: its mailbox, in hexadecimal. */
  readonly mailbox?: string;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: CountersignErrorOptions,
  ) {
    super(message, options);
    if (options?.mailbox !== undefined) this.mailbox = options.mailbox;
  }

  get temporary(): boolean {
    return ERRORS[this.code].temporary;
  }
}
