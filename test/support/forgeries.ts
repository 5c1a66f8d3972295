/** Keys and signatures that some implementations of Ed25519 take and the rule of this protocol does not. */
import { createHash } from 'node:crypto';
import {
  add,
  BASE,
  challenge,
  decode,
  encode,
  IDENTITY,
  L,
  times,
  timesBase,
  toNumber,
} from '../twin/rfc8032.js';

/** A point of order 8. */
const TORSION = decode(
  Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex'),
)!;

export interface Forger {
  readonly key: Buffer;
  /** What OpenSSL, which checks no keys, says of the signature. */
  readonly openssl: boolean;
  readonly sign: (message: Uint8Array) => Buffer;
}

function scalarOf(secret: Uint8Array): bigint {
  const bytes = createHash('sha512').update(secret).digest().subarray(0, 32);
  bytes[0]! &= 248;
  bytes[31] = (bytes[31]! & 63) | 64;
  return toNumber(bytes);
}

const scalarBytes = (n: bigint) => Buffer.from((n % L).toString(16).padStart(64, '0'), 'hex').reverse();

/** The key of order 1: whoever knows it "signs" anything. */
export const smallOrder: Forger = {
  key: Buffer.from(encode(IDENTITY)),
  openssl: true,
  // sB − k·0 = R.
  sign: () => Buffer.concat([encode(BASE), scalarBytes(1n)]),
};

/** A client's key with a point of order 8 added. */
export function torsionedKey(secret: Uint8Array): Forger {
  const a = scalarOf(secret);
  const key = Buffer.from(encode(add(timesBase(a), TORSION)));
  return {
    key,
    openssl: true,
    sign(message) {
      // With k divisible by 8 the torsion falls out of the equation.
      for (let r = 2n; ; r++) {
        const R = encode(timesBase(r));
        const k = challenge(R, key, message);
        if (k % 8n === 0n) return Buffer.concat([R, scalarBytes(r + k * a)]);
      }
    },
  };
}

/** A client's own key, and an R with a point of order 8 added: good where the equation is multiplied by the cofactor. */
export function torsionedSignature(secret: Uint8Array): Forger {
  const a = scalarOf(secret);
  const key = Buffer.from(encode(times(BASE, a)));
  return {
    key,
    openssl: false,
    sign(message) {
      const R = encode(add(timesBase(2n), TORSION));
      return Buffer.concat([R, scalarBytes(2n + challenge(R, key, message) * a)]);
    },
  };
}
