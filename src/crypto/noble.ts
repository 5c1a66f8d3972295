/** Ed25519 with no platform: @noble only. Same answers as node.ts. */
import * as ed from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import * as rule from './rule.js';
import type { PublicKey, Signer } from './types.js';

ed.hashes.sha512 = sha512;

/** Whether 32 bytes are canonical, on the curve, not the identity, and torsion-free. */
export function isGoodPoint(encoded: Uint8Array): boolean {
  if (encoded.length !== 32) return false;
  try {
    const point = ed.Point.fromBytes(encoded, false);
    return !point.is0() && point.isTorsionFree();
  } catch {
    return false;
  }
}

/** Returns its argument; throws `TypeError` when the key breaks the rule. */
export function checkKey(key: Uint8Array): Uint8Array {
  return rule.checkKey(key, isGoodPoint);
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
  const secret = Uint8Array.from(rule.checkSeed(seed));
  return { publicKey: ed.getPublicKey(secret), sign: (message) => ed.sign(message, secret) };
}
