/** Makes a bundle of what the application wants to send. */
import { randomBytes } from '#crypto';
import {
  type Allocate,
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

/** Gives memory out of pieces of 8 KiB: small ones cost more than what is put in. Each byte once. */
function pieces(make: (length: number) => Uint8Array): Allocate {
  let piece: Uint8Array = NOTHING;
  let used = 0;
  return (length) => {
    if (length > 1024) return make(length);
    if (used + length > piece.length) {
      piece = make(8192);
      used = 0;
    }
    used += length;
    return piece.subarray(used - length, used);
  };
}

const room = pieces((length) => new Uint8Array(length));
const random = pieces((length) => Uint8Array.from(randomBytes(length)));

/** Of a message whose blinders nobody shall rebuild. */
function randomBlinder(_: number, out: Uint8Array, at: number): void {
  out.set(random(BLINDER_BYTES), at);
}
