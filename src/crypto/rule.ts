/**
 * The rule for public keys, which every one must pass where it enters: canonical encoding, on the curve, not
 * the identity, torsion-free (in the subgroup of prime order). OpenSSL and WebCrypto check none of this, and
 * with a torsioned key cofactored and cofactorless verifiers disagree.
 *
 * A platform's X25519 does the multiplication, at a sixth of what noble costs. It computes [k]A for the u
 * coordinate of A, with k = 5L − 1. This k has the shape that X25519 wants (a multiple of 8 between 2^254 and
 * 2^255), and it is −1 modulo L. So for A = Q + T, with Q of order L and T the torsion, [k]A = −Q, whose u is
 * that of Q; and Q + T has the same u as Q only when T is nothing. An encoding that is no point of the curve
 * has a u of a point on its twist. The twist has an order of 4 times a prime that divides neither k − 1 nor
 * k + 1, both odd, so that none of its points comes out as itself.
 */
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The last byte of the object identifiers, 1.3.101.n. */
export const X25519 = 110;
export const ED25519 = 112;

/** RFC 8410: how 32 bytes are handed to a platform as a secret key. */
export function pkcs8(algorithm: number, secret: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, algorithm, 4, 34, 4, 32, ...secret);
}

function littleEndian(n: bigint): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 32 }, (_, at) => Number((n >> BigInt(8 * at)) & 255n));
}

/** The k above. */
export const ruleScalar = () => littleEndian(5n * L - 1n);

/** The u coordinate of a key; null of one that cannot be good. It is good when k times u is u. */
export function ruleU(key: Uint8Array): Uint8Array<ArrayBuffer> | null {
  if (key.length !== 32) return null;
  const y = key.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) & (2n ** 255n - 1n);
  // x = 0 where y is 1 (the identity) or −1 (of order 2): neither is good, nor has u in the field but 0.
  if (y === 1n || y >= P - 1n) return null;
  // (1 + y) / (1 − y), the inverse by Euclid: a quarter of what Fermat's power costs, and keys are public.
  let [low, high, before, inverse] = [P + 1n - y, P, 0n, 1n];
  while (low > 1n) [low, high, inverse, before] = [high % low, low, before - (high / low) * inverse, inverse];
  return littleEndian(((1n + y) * (inverse + P)) % P);
}

/** Returns its argument; throws `TypeError` when the key breaks the rule, as `isGood` finds. */
export function checkKey(key: Uint8Array, isGood: (key: Uint8Array) => boolean): Uint8Array {
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
  return signature[0] === 1 && signature.subarray(1, 32).every((byte) => byte === 0);
}

/** Returns its argument; throws `TypeError` when it is no RFC 8032 secret seed by its length. */
export function checkSeed(seed: Uint8Array): Uint8Array {
  if (seed.length !== 32) throw new TypeError(`secret key: expected 32 bytes, got ${seed.length}`);
  return seed;
}
