/**
 * Hashing and Ed25519 by node:crypto. `#crypto` resolves to this file on Node and to web.ts
 * elsewhere; both export the same names and give the same answers on every vector.
 */
import {
  createPrivateKey,
  diffieHellman,
  hash,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { publicKeyObject } from './key-object.js';
import { memoised, onceGood } from './memo.js';
import * as rule from './rule.js';
import type { PublicKey, Signer } from './types.js';

export type { Identity, PublicKey, Signer, Verifier } from './types.js';
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

const digest = new Uint8Array(32);

/** SHA-256 of `data`: 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  sha256Into(data, digest, 0);
  // So small a copy lies on V8's own heap. A buffer of the binding's takes longer to make, and to sweep.
  return new Uint8Array(digest);
}

const secretKey = (algorithm: number, secret: Uint8Array) =>
  createPrivateKey({ key: Buffer.from(rule.pkcs8(algorithm, secret)), format: 'der', type: 'pkcs8' });

const scalar = secretKey(rule.X25519, rule.ruleScalar());

/** Whether a key keeps the rule. */
export const isGoodKey = (key: Uint8Array): boolean => key.length === 32 && onceGood(key, keepsRule);

function keepsRule(key: Uint8Array): boolean {
  const u = rule.ruleU(key);
  if (!u) return false;
  try {
    return diffieHellman({ privateKey: scalar, publicKey: publicKeyObject('X25519', u) }).equals(u);
  } catch {
    return false; // OpenSSL refuses a result of 0, which points of small order have.
  }
}

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
  return new NodePublicKey(Uint8Array.from(key), publicKeyObject('Ed25519', key));
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
  const object = secretKey(rule.ED25519, rule.checkSeed(seed));
  const { x } = object.export({ format: 'jwk' });
  return {
    publicKey: Uint8Array.from(Buffer.from(x!, 'base64url')),
    sign: (message) => sign(null, message, object),
  };
}

// What web.ts answers later is at hand here.
export const verifierOf = (key: Uint8Array) => memoised(trustedPublicKey(key));
export const identityOf = importSecretKey;
