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

/** Returns its argument; throws `TypeError` when the key breaks the rule. */
export function checkKey(key: Uint8Array): Uint8Array {
  if (!isGoodPoint(key)) {
    throw new TypeError('public key: expected 32 bytes, canonical and torsion-free, got something else');
  }
  return key;
}
