/**
 * Hashing and Ed25519 without Node: noble, and WebCrypto for the signatures that can wait for their
 * check, where the platform has Ed25519. What WebCrypto cannot do or fails to do, noble does: the
 * answer is the same.
 */
import { checkKey, trustedPublicKey as noblePublicKey } from './noble.js';
import type { PublicKey } from './types.js';
import { importTrustedWebCryptoKey, verifyWebCrypto } from './webcrypto.js';

export { checkKey, importSecretKey, randomBytes, sha256, sha256Into } from './noble.js';
export type { PublicKey, Signer } from './types.js';

/** Checks a 32-byte key by the rule. Throws `TypeError` on a bad key. */
export function importPublicKey(key: Uint8Array): PublicKey {
  return trustedPublicKey(checkKey(key));
}

/** A key that is known to have passed the rule already. */
export function trustedPublicKey(key: Uint8Array): PublicKey {
  const own = noblePublicKey(key);
  let imported: Promise<CryptoKey> | null = null;
  return {
    ...own,
    async verifyLater(message, signature) {
      try {
        imported ??= importTrustedWebCryptoKey(own.bytes);
        return await verifyWebCrypto(await imported, message, signature);
      } catch {
        return own.verify(message, signature);
      }
    },
  };
}
