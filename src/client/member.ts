/** Member: one key of a gateway, with everything that is its own. */
import type { Identity } from '#crypto';
import { CountersignError, ERRORS, type ErrorCode, errorCode } from '../protocol/index.js';
import type { Counters } from './counters.js';
import type { FrontSession } from './front-session.js';
import type { State } from './gateway-events.js';
import type { Mailbox } from './mailbox.js';
import type { OutboxSession } from './outbox-session.js';
import type { Stands } from './stands.js';
import { VerificationError } from './verification-error.js';

export interface Member {
  /** Position of its key. */
  readonly index: number;
  readonly identity: Identity;
  readonly counters: Counters;
  readonly mailbox: Mailbox;
  outbox: number;
  /** Its sockets; no outbox where mailboxes are not opened. */
  front?: FrontSession;
  session?: OutboxSession;
  /** Who waits to be told where it stands; none before somebody does. */
  stands?: Stands;
  /** Bytes of its messages that the application has not taken yet. */
  weight: number;
  state: State;
  /** Why it is over; null while it is not. */
  problem: CountersignError | null;
}

/** What the server refuses a mailbox with, in `opened` or before it closes the socket. */
const REFUSALS: readonly ErrorCode[] = [
  'session-refused',
  'mailbox-not-registered',
  'wrong-outbox',
  'too-many-mailboxes',
];

/** Whether an error ends the mailboxes that it is about, and not the whole gateway. */
export function isAboutMailbox({ code }: CountersignError): boolean {
  return code === 'displaced' || REFUSALS.includes(code);
}

/** The state that an error ends in. */
export function finalState({ code }: CountersignError): State {
  if (code === 'displaced') return 'displaced';
  if (code === 'closed' || code === 'aborted') return 'closed';
  return REFUSALS.includes(code) ? 'refused' : 'failed';
}

/** Why the server does not open a mailbox. A number that is not known is permanent. Throws `VerificationError`. */
export function refusal(number: number): CountersignError {
  const code = errorCode(number) ?? 'session-refused';
  knowsEpoch(code);
  return new CountersignError(ERRORS[code].temporary ? 'session-refused' : code, `refused: ${code}`);
}

/** Throws `VerificationError` when the server has forgotten what it has proven. */
export function knowsEpoch(code: ErrorCode | undefined, frame?: Uint8Array): void {
  if (code === 'ack-unknown-epoch')
    throw new VerificationError('resume', 'an acknowledged epoch is forgotten', frame);
}

/** Every `most` of a list. */
export function chunks<T>(list: readonly T[], most: number): T[][] {
  const out: T[][] = [];
  for (let from = 0; from < list.length; from += most) out.push(list.slice(from, from + most));
  return out;
}
