/** Ed25519 (RFC 8032) from a 32-byte secret seed, by node:crypto. */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto';
import { fixed, join } from './bytes.js';
import { encode, IDENTITY, isGoodKey, L, toNumber } from './rfc8032.js';

const PRIVATE_KEY_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex'); // PKCS #8, RFC 8410
const PUBLIC_KEY_HEADER = Buffer.from('302a300506032b6570032100', 'hex'); // SPKI, RFC 8410

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: Buffer;
}

/** By seed: to make one takes as long as some signatures, and tests use the same few all the time. */
const pairs = new Map<string, KeyPair>();

function pairOf(seed: Uint8Array): KeyPair {
  const id = fixed(32, seed).toString('hex');
  const pair = pairs.get(id) ?? newPair(seed);
  pairs.set(id, pair);
  return pair;
}

function newPair(seed: Uint8Array): KeyPair {
  const privateKey = createPrivateKey({ key: join(PRIVATE_KEY_HEADER, seed), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { privateKey, publicKey: spki.subarray(PUBLIC_KEY_HEADER.length) };
}

/** A copy, which the caller may change. */
export function publicKeyOf(seed: Uint8Array): Buffer {
  return Buffer.from(pairOf(seed).publicKey);
}

export function sign(seed: Uint8Array, signed: Uint8Array): Buffer {
  return nodeSign(null, signed, pairOf(seed).privateKey);
}

export function verify(publicKey: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  const spki = join(PUBLIC_KEY_HEADER, fixed(32, publicKey));
  return nodeVerify(null, signed, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}

/**
 * The one rule of docs/PROTOCOL.md, "Signatures". The equation without the cofactor is left to OpenSSL, which
 * compares the encoding of sB − kA with R byte for byte; all that it does not check stands here.
 */
export function verifyByRule(key: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  if (!isGoodKey(key)) return false;
  if (toNumber(signature.subarray(32)) >= L) return false;
  if (Buffer.compare(signature.subarray(0, 32), encode(IDENTITY)) === 0) return false;
  return verify(key, signed, signature);
}
