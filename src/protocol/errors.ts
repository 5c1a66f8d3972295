/**
 * Every error that crosses the wire or ends a command. `temporary`: trying again later can succeed.
 * `close`: the WebSocket close code when the error ends the connection (3000–3499 come back,
 * 3500–3999 stay away). Numbers are part of the wire and never reused.
 */

export interface ErrorKind {
  readonly number: number;
  readonly temporary: boolean;
  readonly close: number | undefined;
}

const kind =
  (temporary: boolean) =>
  <Close extends number | undefined>(number: number, close?: Close) => ({
    number,
    temporary,
    close: close as Close,
  });
const lasting = kind(false);
const temporary = kind(true);

export const ERRORS = {
  // The connection: sent before it is closed.
  'malformed-frame': lasting(1, 3500),
  'unexpected-frame': lasting(2, 3501),
  'handshake-timeout': temporary(3, 3000),
  'too-many-sockets': temporary(4, 3001),
  displaced: lasting(5, 4409),
  restarting: temporary(6, 1012),
  'reader-too-slow': temporary(7, 3002),
  // One mailbox of a session frame, or one acknowledgment.
  'session-refused': lasting(20),
  'mailbox-not-registered': lasting(21),
  'wrong-outbox': lasting(22),
  'too-many-mailboxes': lasting(23, 3500),
  'ack-unknown-epoch': lasting(24),
  // Bundles: a refused bundle consumes no counter.
  'bundle-malformed': lasting(40),
  'bundle-too-large': lasting(41),
  'too-many-bundles': lasting(42),
  'no-such-mailbox': lasting(43),
  'counter-conflict': lasting(44),
  'counter-expired': lasting(45),
  'counter-gap': temporary(46),
  busy: temporary(47),
  'mailbox-full': temporary(48),
  'submission-refused': lasting(49),
  // Openings.
  'not-a-party': lasting(50),
  'opening-expired': lasting(51),
  'opening-unknown': lasting(52),
  // HTTP.
  'not-found': lasting(60),
  'bad-request': lasting(61),
  'origin-refused': lasting(62),
  // Found by a client; never sent.
  'verification-failed': lasting(100),
  'wrong-server': lasting(101),
  'connection-lost': temporary(102),
  closed: lasting(103),
  aborted: lasting(104),
  'store-corrupt': lasting(105),
  'store-locked': temporary(106),
  'store-unusable': temporary(107),
  'receipt-delayed': temporary(108),
  'receipt-lost': lasting(109),
};

export type ErrorCode = keyof typeof ERRORS;

/** The code with this number on the wire; undefined for a number of a newer server. */
export function errorCode(number: number): ErrorCode | undefined {
  return (Object.keys(ERRORS) as ErrorCode[]).find((code) => ERRORS[code].number === number);
}

export interface CountersignErrorOptions extends ErrorOptions {
  readonly mailbox?: string;
}

/** One request failed, or the process must stop: which, is for the catcher. `code` is stable. */
export class CountersignError extends Error {
  override name = 'CountersignError';
  /** Of a refusal on account of one recipient: its mailbox, in hexadecimal. */
  readonly mailbox?: string;
  /** Of an opening that was refused: when to ask again; 0 = not said. @internal */
  declare readonly retryAfterMs?: number;

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
