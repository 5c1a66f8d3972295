/**
 * Hashing and Ed25519 by node:crypto. `#crypto` resolves to this file on Node and to noble.ts
 * elsewhere; both export the same names and give the same answers on every vector.
 */
import {
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { isGoodKey } from './node-rule.js';
import * as rule from './rule.js';
import type { PublicKey, Signer } from './types.js';

export type { PublicKey, Signer };
export { randomBytes };

// Undocumented in @types/node, present since Node 0.x, and the fastest way between bytes and strings.
declare global {
  interface Buffer {
    latin1Write(text: string, offset: number, length: number): number;
    latin1Slice(start: number, end: number): string;
  }
}
const latin1Write = Buffer.prototype.latin1Write;

/** SHA-256 of `data`, written into `out` at `offset` (32 bytes). The cheapest call there is. */
export function sha256Into(data: Uint8Array, out: Uint8Array, offset: number): void {
  // 'binary' (latin1) avoids one allocation: 0.46 µs against 0.86 with 'buffer'.
  latin1Write.call(out as Buffer, hash('sha256', data, 'binary'), offset, 32);
}

/** SHA-256 of `data`: 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return hash('sha256', data, 'buffer');
}

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Returns its argument; throws `TypeError` when the key breaks the rule. */
export function checkKey(key: Uint8Array): Uint8Array {
  return rule.checkKey(key, isGoodKey);
}

/** Checks a 32-byte key by the rule and parses it once. Throws `TypeError` on a bad key. */
export function importPublicKey(key: Uint8Array): PublicKey {
  return trustedPublicKey(checkKey(key));
}

/** Parses a key that is known to have passed the rule already (about 0.2 ms cheaper). */
export function trustedPublicKey(key: Uint8Array): PublicKey {
  const object = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, key]), format: 'der', type: 'spki' });
  return new NodePublicKey(Uint8Array.from(key), object);
}

class NodePublicKey implements PublicKey {
  constructor(
    readonly bytes: Uint8Array,
    private readonly object: KeyObject,
  ) {}

  verify(message: Uint8Array, signature: Uint8Array): boolean {
    return (
      signature.length === 64 &&
      !rule.hasIdentityR(signature) &&
      verify(null, message, this.object, signature)
    );
  }
}

/** A signer from a 32-byte RFC 8032 secret seed. Throws `TypeError` on any other length. */
export function importSecretKey(seed: Uint8Array): Signer {
  const object = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, rule.checkSeed(seed)]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(object).export({ format: 'der', type: 'spki' });
  return {
    publicKey: Uint8Array.from(spki.subarray(SPKI_PREFIX.length)),
    sign: (message) => sign(null, message, object),
  };
}
