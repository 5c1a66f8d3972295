/**
 * The rule for public keys on Node, at a sixth of the cost: OpenSSL's X25519 does the multiplication.
 *
 * It computes [k]A for the u coordinate of A, with k = 5L − 1. This k has the shape that X25519 wants
 * (a multiple of 8 between 2^254 and 2^255), and it is −1 modulo L. So for A = Q + T, with Q of order L
 * and T the torsion, [k]A = −Q, whose u is that of Q; and Q + T has the same u as Q only when T is
 * nothing. An encoding that is no point of the curve has a u of a point on its twist. The twist has an
 * order of 4 times a prime that divides neither k − 1 nor k + 1, both odd, so that none of its points
 * comes out as itself.
 */
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

const littleEndian = (n: bigint) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex').reverse();
const scalar = createPrivateKey({
  key: Buffer.concat([PKCS8_PREFIX, littleEndian(5n * L - 1n)]),
  format: 'der',
  type: 'pkcs8',
});

/** Whether a key is canonical, on the curve, not the identity, and torsion-free. */
export function isGoodKey(key: Uint8Array): boolean {
  if (key.length !== 32) return false;
  const digits = Buffer.from(key).reverse();
  digits[0]! &= 0x7f;
  const y = BigInt(`0x${digits.toString('hex')}`);
  // x = 0 where y is 1 (the identity) or −1 (of order 2): neither is good, nor has u in the field but 0.
  if (y >= P || y === 1n || y === P - 1n) return false;
  const u = littleEndian(((1n + y) * inverse((1n - y + P) % P)) % P);
  const point = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, u]), format: 'der', type: 'spki' });
  try {
    return diffieHellman({ privateKey: scalar, publicKey: point }).equals(u);
  } catch {
    return false; // OpenSSL refuses a result of 0, which points of small order have.
  }
}

/** Modulo P, of a number from 1 to P − 1: the extended Euclidean algorithm. */
function inverse(a: bigint): bigint {
  let [r, next] = [P, a];
  let [s, t] = [0n, 1n];
  while (next !== 0n) {
    const quotient = r / next;
    [r, next] = [next, r - quotient * next];
    [s, t] = [t, s - quotient * t];
  }
  return s < 0n ? s + P : s;
}
