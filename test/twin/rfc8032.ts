/**
 * Ed25519 by the letter of RFC 8032 and of our rule, in plain BigInt arithmetic: slow, obvious, and
 * independent of every library that ships. Only the tests use it.
 */
import { createHash } from 'node:crypto';

/** Extended homogeneous coordinates, RFC 8032 §5.1.4: x = X/Z, y = Y/Z, x·y = T/Z. */
export interface Point {
  readonly X: bigint;
  readonly Y: bigint;
  readonly Z: bigint;
  readonly T: bigint;
}

const p = 2n ** 255n - 19n;
/** The order of the base point, RFC 8032 §5.1. */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const d = mod(-121665n * power(121666n, p - 2n));
const SQRT_MINUS_ONE = power(2n, (p - 1n) / 4n);

export const IDENTITY: Point = { X: 0n, Y: 1n, Z: 1n, T: 0n };
/** RFC 8032 §5.1: y = 4/5, x even. */
export const BASE: Point = decode(littleEndian(mod(4n * power(5n, p - 2n)))) ?? IDENTITY;

function mod(a: bigint): bigint {
  const r = a % p;
  return r < 0n ? r + p : r;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base, e = exponent; e > 0n; e >>= 1n, square = mod(square * square)) {
    if (e & 1n) result = mod(result * square);
  }
  return result;
}

export function littleEndian(n: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(n.toString(16).padStart(64, '0'), 'hex').reverse());
}

export function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

/** RFC 8032 §5.1.3, all four steps; undefined when the encoding is not the canonical one of a point. */
export function decode(bytes: Uint8Array): Point | undefined {
  if (bytes.length !== 32) return undefined;
  const number = toNumber(bytes);
  const sign = number >> 255n;
  const y = number & (2n ** 255n - 1n);
  if (y >= p) return undefined;
  const u = mod(y * y - 1n);
  const v = mod(d * y * y + 1n);
  let x = mod(u * power(v, 3n) * power(mod(u * power(v, 7n)), (p - 5n) / 8n));
  const check = mod(v * x * x);
  if (check === mod(-u)) x = mod(x * SQRT_MINUS_ONE);
  else if (check !== u) return undefined;
  if (x === 0n && sign === 1n) return undefined;
  if ((x & 1n) !== sign) x = p - x;
  return { X: x, Y: y, Z: 1n, T: mod(x * y) };
}

/** RFC 8032 §5.1.2. */
export function encode({ X, Y, Z }: Point): Uint8Array {
  const inverse = power(Z, p - 2n);
  return littleEndian(mod(Y * inverse) | ((mod(X * inverse) & 1n) << 255n));
}

/** RFC 8032 §5.1.4: complete, so it doubles too. */
export function add(P: Point, Q: Point): Point {
  const A = mod((P.Y - P.X) * (Q.Y - Q.X));
  const B = mod((P.Y + P.X) * (Q.Y + Q.X));
  const C = mod(P.T * 2n * d * Q.T);
  const D = mod(P.Z * 2n * Q.Z);
  const [E, F, G, H] = [B - A, D - C, D + C, B + A];
  return { X: mod(E * F), Y: mod(G * H), Z: mod(F * G), T: mod(E * H) };
}

export function negate({ X, Y, Z, T }: Point): Point {
  return { X: mod(-X), Y, Z, T: mod(-T) };
}

/** Multiples of one point, with its doublings kept from one multiplication to the next. */
class Multiplier {
  private readonly doublings: Point[];

  constructor(point: Point) {
    this.doublings = [point];
  }

  times(scalar: bigint): Point {
    let sum = IDENTITY;
    for (let bit = 0, rest = scalar; rest > 0n; bit++, rest >>= 1n) {
      if (rest & 1n) sum = add(sum, this.doubling(bit));
    }
    return sum;
  }

  private doubling(bit: number): Point {
    for (let last = this.doublings.at(-1)!; this.doublings.length <= bit; this.doublings.push(last)) {
      last = add(last, last);
    }
    return this.doublings[bit];
  }
}

const base = new Multiplier(BASE);

export function timesBase(scalar: bigint): Point {
  return base.times(scalar);
}

export function times(point: Point, scalar: bigint): Point {
  return new Multiplier(point).times(scalar);
}

/** k = SHA-512(R ‖ A ‖ M) mod L, RFC 8032 §5.1.7 step 2. */
export function challenge(R: Uint8Array, A: Uint8Array, message: Uint8Array): bigint {
  return toNumber(createHash('sha512').update(R).update(A).update(message).digest()) % L;
}

function isIdentity(point: Point): boolean {
  return mod(point.X) === 0n && mod(point.Y - point.Z) === 0n;
}

const keys = new Map<string, Multiplier | undefined>();

/** −A, ready to be multiplied; undefined when the key breaks the rule. Kept per key: it is slow. */
function negatedKey(key: Uint8Array): Multiplier | undefined {
  const id = Buffer.from(key).toString('hex');
  if (!keys.has(id)) {
    const A = decode(key);
    const multiplier = A && !isIdentity(A) ? new Multiplier(negate(A)) : undefined;
    keys.set(id, multiplier && isIdentity(multiplier.times(L)) ? multiplier : undefined);
  }
  return keys.get(id);
}

/** Canonical, on the curve, not the identity, L·A = identity. */
export function isGoodKey(key: Uint8Array): boolean {
  return negatedKey(key) !== undefined;
}

const expected = new Map<string, Uint8Array | undefined>();

/** encode(sB − kA), which R must be; undefined without a good key and an s < L. Kept per signature: it is slow. */
export function expectedR(
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Uint8Array | undefined {
  const id = [key, message, signature].map((bytes) => Buffer.from(bytes).toString('hex')).join();
  if (!expected.has(id)) expected.set(id, computedR(key, message, signature));
  return expected.get(id);
}

function computedR(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Uint8Array | undefined {
  const negatedA = negatedKey(key);
  if (negatedA === undefined || signature.length !== 64) return undefined;
  const R = signature.subarray(0, 32);
  const s = toNumber(signature.subarray(32));
  if (s >= L) return undefined;
  return encode(add(base.times(s), negatedA.times(challenge(R, key, message))));
}

/** The rule: a good key, s < L, encode(sB − kA) is R byte by byte, and that is not the identity. */
export function verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const R = expectedR(key, message, signature);
  if (R === undefined || Buffer.compare(R, signature.subarray(0, 32)) !== 0) return false;
  return Buffer.compare(R, encode(IDENTITY)) !== 0;
}
