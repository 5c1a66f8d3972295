/** Makes a bundle of what the application wants to send. */
import { randomBytes } from '#crypto';
import {
  BLINDER_BYTES,
  BundleError,
  CountersignError,
  encodeBundle,
  type Policy,
} from '../protocol/index.js';
import { idOf } from './options.js';

export type Id = Uint8Array | string;

export interface SendOptions {
  /** One mailbox or several, each once: 32 bytes or hexadecimal. */
  readonly to: Id | readonly Id[];
  /** For all recipients: encrypt it first, the server reads it. A string is sent as UTF-8. */
  readonly body: Uint8Array | string;
  /** For one recipient each, in the order of `to`; may be missing or empty. */
  readonly envelopes?: readonly (Uint8Array | undefined)[];
  /** 32 bytes that the blinders are made of, to be shown to the members inside the body. Without: random blinders. */
  readonly rosterKey?: Uint8Array;
  /** Gives up waiting; takes the message back if it is not under way yet. */
  readonly signal?: AbortSignal;
}

const utf8 = new TextEncoder();
const NOTHING = new Uint8Array(0);

/** Throws `TypeError` on bad arguments, `CountersignError` on a bundle that no server of this policy takes. */
export function makeBundle(options: SendOptions, policy: Policy): Uint8Array {
  const { to, envelopes } = options;
  const list = Array.isArray(to) ? (to as readonly Id[]) : [to as Id];
  if (envelopes && envelopes.length !== list.length)
    throw new TypeError(`envelopes: expected ${list.length}, one per recipient, got ${envelopes.length}`);
  if (list.length > policy.recipients) throw tooLarge('recipients', list.length, policy.recipients);
  const body = typeof options.body === 'string' ? utf8.encode(options.body) : options.body;
  if (body.length > policy.bodyBytes) throw tooLarge('bytes of body', body.length, policy.bodyBytes);
  const recipients = list.map((id, i) => {
    const envelope = envelopes?.[i] ?? NOTHING;
    if (envelope.length > policy.envelopeBytes)
      throw tooLarge('bytes of envelope', envelope.length, policy.envelopeBytes);
    return { mailbox: idOf(id, 'to'), envelope };
  });
  try {
    return encodeBundle(recipients, body, options.rosterKey ?? randomBlinder, room);
  } catch (error) {
    if (error instanceof BundleError) throw new CountersignError(error.code, error.message);
    throw error;
  }
}

function tooLarge(what: string, given: number, most: number): CountersignError {
  return new CountersignError('bundle-too-large', `${given} ${what}, at most ${most} allowed`);
}

/** Memory is taken in pieces of so many bytes: small ones cost more than what is put in. */
const PIECE_BYTES = 8192;

let random = new Uint8Array(0);
let used = 0;

/** Of a message whose blinders nobody shall rebuild: 16 random bytes, each used once. */
function randomBlinder(_: number, out: Uint8Array, at: number): void {
  if (used === random.length) {
    // Not as a Buffer of Node.
    random = Uint8Array.from(randomBytes(PIECE_BYTES));
    used = 0;
  }
  for (const end = used + BLINDER_BYTES; used < end; ) out[at++] = random[used++]!;
}

let piece = new Uint8Array(0);
let filled = 0;

/** Memory of a bundle, which small ones share. */
function room(length: number): Uint8Array {
  if (length > PIECE_BYTES / 8) return new Uint8Array(length);
  if (filled + length > piece.length) {
    piece = new Uint8Array(PIECE_BYTES);
    filled = 0;
  }
  filled += length;
  return piece.subarray(filled - length, filled);
}
