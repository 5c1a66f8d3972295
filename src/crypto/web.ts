/**
 * Hashing and Ed25519 without Node. What can wait for its answer asks WebCrypto, and noble, which is
 * loaded only then, where the platform has no Ed25519 or no X25519 or fails: the answer is the same.
 */
import { checkSeed, ED25519, hasIdentityR, pkcs8, ruleScalar, ruleU, X25519 } from './rule.js';
import type { Identity, Verifier } from './types.js';

export { randomBytes, sha256, sha256Into } from './hash.js';
export { checkKey, importPublicKey, importSecretKey, trustedPublicKey } from './noble.js';
export type { Identity, PublicKey, Signer, Verifier } from './types.js';

const noble = () => import('./noble.js');

let scalar: Promise<CryptoKey> | undefined;

/** Whether a key keeps the rule. */
export async function isGoodKey(key: Uint8Array): Promise<boolean> {
  const u = ruleU(key);
  if (!u) return false;
  try {
    const { subtle } = crypto;
    scalar ??= subtle.importKey('pkcs8', pkcs8(X25519, ruleScalar()), 'X25519', false, ['deriveBits']);
    const point = await subtle.importKey('raw', u, 'X25519', false, []);
    const bits = await subtle.deriveBits({ name: 'X25519', public: point }, await scalar, 256);
    return new Uint8Array(bits).every((byte, i) => byte === u[i]);
  } catch {
    // It also refuses a result of 0, which points of small order have.
    return (await noble()).isGoodPoint(key);
  }
}

/** A key that is known to have passed the rule already. */
export function verifierOf(key: Uint8Array): Verifier {
  const bytes = Uint8Array.from(key);
  let imported: Promise<CryptoKey> | undefined;
  return {
    bytes,
    async verify(message, signature) {
      if (signature.length !== 64 || hasIdentityR(signature)) return false;
      try {
        imported ??= crypto.subtle.importKey('raw', bytes, 'Ed25519', false, ['verify']);
        return await crypto.subtle.verify('Ed25519', await imported, own(signature), own(message));
      } catch {
        return (await noble()).trustedPublicKey(bytes).verify(message, signature);
      }
    },
  };
}

/** From a 32-byte RFC 8032 secret seed. Rejects with `TypeError` on any other length. */
export async function identityOf(seed: Uint8Array): Promise<Identity> {
  const secret = Uint8Array.from(checkSeed(seed));
  try {
    // Extractable, because the public key is got by exporting.
    const key = await crypto.subtle.importKey('pkcs8', pkcs8(ED25519, secret), 'Ed25519', true, ['sign']);
    const { x } = await crypto.subtle.exportKey('jwk', key);
    const base64 = x!.replaceAll('-', '+').replaceAll('_', '/');
    return {
      publicKey: Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)),
      sign: async (message) => new Uint8Array(await crypto.subtle.sign('Ed25519', key, own(message))),
    };
  } catch {
    return (await noble()).importSecretKey(secret);
  }
}

/** WebCrypto takes no shared memory. */
const own = (bytes: Uint8Array) => Uint8Array.from(bytes);
