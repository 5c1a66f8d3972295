/** Makes a bundle of what the application wants to send. */
import { randomBytes } from '#crypto';
import { BundleError, CountersignError, encodeBundle, type Policy } from '../protocol/index.js';
import { idOf } from './options.js';

export type Id = Uint8Array | string;

export interface SendOptions {
  /** One mailbox or several, each once: 32 bytes or hexadecimal. */
  readonly to: Id | readonly Id[];
  /** For all recipients: encrypt it first, the server reads it. A string is sent as UTF-8. */
  readonly body: Uint8Array | string;
  /** For one recipient each, in the order of `to`; may be missing or empty. */
  readonly envelopes?: readonly (Uint8Array | undefined)[];
  /** 32 bytes that the blinders are made of, to be shown to the members inside the body. Default: random. */
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
    return encodeBundle(recipients, body, options.rosterKey ?? freshKey());
  } catch (error) {
    if (error instanceof BundleError) throw new CountersignError(error.code, error.message);
    throw error;
  }
}

function tooLarge(what: string, given: number, most: number): CountersignError {
  return new CountersignError('bundle-too-large', `${given} ${what}, at most ${most} allowed`);
}

const POOL_BYTES = 8192;
let pool = new Uint8Array(0);
let used = 0;

/** 32 random bytes; the platform is asked for many at once. Each is used once. */
function freshKey(): Uint8Array {
  if (used + 32 > pool.length) {
    pool = randomBytes(POOL_BYTES) as Uint8Array<ArrayBuffer>;
    used = 0;
  }
  used += 32;
  return pool.subarray(used - 32, used);
}
