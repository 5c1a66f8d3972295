/** Hashing and Ed25519 with no platform: @noble only. Same exports and answers as node.ts. */
import * as ed from '@noble/ed25519';
import { sha256 as nobleSha256, sha512 } from '@noble/hashes/sha2.js';
import { checkKey, checkSeed, isGoodPoint } from './rule.js';
import type { PublicKey, Signer } from './types.js';

export type { PublicKey, Signer };
export { checkKey };

ed.hashes.sha512 = sha512;

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** SHA-256 of `data`, written into `out` at `offset` (32 bytes). */
export function sha256Into(data: Uint8Array, out: Uint8Array, offset: number): void {
  out.set(nobleSha256(data), offset);
}

/** SHA-256 of `data`: 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data);
}

/** Checks a 32-byte key by the rule. Throws `TypeError` on a bad key. */
export function importPublicKey(key: Uint8Array): PublicKey {
  return trustedPublicKey(checkKey(key));
}

/** A key that is known to have passed the rule already. */
export function trustedPublicKey(key: Uint8Array): PublicKey {
  const bytes = Uint8Array.from(key);
  return {
    bytes,
    verify(message, signature) {
      // noble is cofactored: with s < L and a torsion-free key the equations agree exactly when
      // R is torsion-free too. So R is checked on top, by the same test as a key: the rule refuses
      // the identity in either place.
      if (signature.length !== 64) return false;
      try {
        return (
          ed.verify(signature, message, bytes, { zip215: false }) && isGoodPoint(signature.subarray(0, 32))
        );
      } catch {
        return false;
      }
    },
  };
}

/** A signer from a 32-byte RFC 8032 secret seed. Throws `TypeError` on any other length. */
export function importSecretKey(seed: Uint8Array): Signer {
  const secret = Uint8Array.from(checkSeed(seed));
  return { publicKey: ed.getPublicKey(secret), sign: (message) => ed.sign(message, secret) };
}
