/**
 * What the actors of a thread signed last. Who is shown these very bytes with this very signature takes them for verified, as actors
 * of one process vouch for one another; what became of the bytes on the way is noticed all the same. (`src/crypto/memo.ts` remembers
 * thousands that were verified; here none is, and the last one of each key is enough.)
 */
import { type PublicKey, type Signer, trustedPublicKey } from '#crypto';
import { equalBytes, toHex } from '../protocol/index.js';

interface Signed {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

export class OwnSignatures {
  private readonly last = new Map<string, Signed>();

  /** As the signer signs, and remembered until it signs again. */
  signing({ publicKey, sign }: Signer): (message: Uint8Array) => Uint8Array {
    const id = toHex(publicKey);
    return (message) => {
      const signature = sign(message);
      this.last.set(id, { message: message.slice(), signature: signature.slice() });
      return signature;
    };
  }

  /** A key that is known to have passed the rule. */
  readonly key = (bytes: Uint8Array): PublicKey => {
    const key = trustedPublicKey(bytes);
    const id = toHex(bytes);
    return {
      bytes: key.bytes,
      verify: (message, signature) => {
        const last = this.last.get(id);
        if (last && equalBytes(last.message, message) && equalBytes(last.signature, signature)) return true;
        return key.verify(message, signature);
      },
    };
  };
}
