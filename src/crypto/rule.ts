import { Point } from '@noble/ed25519';

/**
 * The rule every public key must pass where it enters: canonical encoding, on the curve, not the
 * identity, torsion-free (in the subgroup of prime order). OpenSSL and WebCrypto check none of
 * this, and with a torsioned key cofactored and cofactorless verifiers disagree.
 */
export function isGoodPoint(encoded: Uint8Array): boolean {
  if (encoded.length !== 32) return false;
  try {
    const point = Point.fromBytes(encoded, false);
    return !point.is0() && point.isTorsionFree();
  } catch {
    return false;
  }
}

/** Returns its argument; throws `TypeError` when the key breaks the rule, as `isGood` finds. */
export function checkKey(key: Uint8Array, isGood = isGoodPoint): Uint8Array {
  if (!isGood(key)) {
    throw new TypeError('public key: expected 32 bytes, canonical and torsion-free, got something else');
  }
  return key;
}

/**
 * True when a signature's R (its first 32 bytes) is the identity. The rule refuses it: with a good
 * key no other R of small order satisfies the cofactorless equation, and platforms disagree on
 * this one: WebCrypto's specification and libsodium refuse it, OpenSSL accepts it, and Node's verify
 * went from the one to the other (nodejs/node#64026). No honest signer makes it.
 */
export function hasIdentityR(signature: Uint8Array): boolean {
  if (signature[0] !== 1) return false;
  for (let i = 1; i < 32; i++) {
    if (signature[i] !== 0) return false;
  }
  return true;
}

/** Returns its argument; throws `TypeError` when it is no RFC 8032 secret seed by its length. */
export function checkSeed(seed: Uint8Array): Uint8Array {
  if (seed.length !== 32) throw new TypeError(`secret key: expected 32 bytes, got ${seed.length}`);
  return seed;
}
