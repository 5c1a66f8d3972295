/** Ed25519 (RFC 8032) from a 32-byte secret seed, by node:crypto. */
import { createPrivateKey, createPublicKey, sign as nodeSign, verify as nodeVerify } from 'node:crypto';
import { fixed, join } from './bytes.js';

const PRIVATE_KEY_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex'); // PKCS #8, RFC 8410
const PUBLIC_KEY_HEADER = Buffer.from('302a300506032b6570032100', 'hex'); // SPKI, RFC 8410

function privateKey(seed: Uint8Array) {
  return createPrivateKey({ key: join(PRIVATE_KEY_HEADER, fixed(32, seed)), format: 'der', type: 'pkcs8' });
}

export function publicKeyOf(seed: Uint8Array): Buffer {
  const spki = createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' });
  return spki.subarray(PUBLIC_KEY_HEADER.length);
}

export function sign(seed: Uint8Array, signed: Uint8Array): Buffer {
  return nodeSign(null, signed, privateKey(seed));
}

export function verify(publicKey: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  const spki = join(PUBLIC_KEY_HEADER, fixed(32, publicKey));
  return nodeVerify(null, signed, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}
