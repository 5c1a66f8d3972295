/** Ed25519 verification by WebCrypto, where a browser or runtime has it. Asynchronous by nature. */
import { checkKey, hasIdentityR } from './rule.js';

/** Checks the key by the rule and imports it once. Throws `TypeError` on a bad key. */
export async function importWebCryptoKey(key: Uint8Array): Promise<CryptoKey> {
  return importTrustedWebCryptoKey(checkKey(key));
}

/** Imports a key that is known to have passed the rule already. Rejects where there is no Ed25519. */
export async function importTrustedWebCryptoKey(key: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', Uint8Array.from(key), { name: 'Ed25519' }, false, ['verify']);
}

/** The one rule (cofactorless, s < L, R not the identity), given a key of `importWebCryptoKey`. */
export async function verifyWebCrypto(
  key: CryptoKey,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (signature.length !== 64 || hasIdentityR(signature)) return false;
  return crypto.subtle.verify({ name: 'Ed25519' }, key, Uint8Array.from(signature), Uint8Array.from(message));
}
