/**
 * Hashing and chance with no platform but the web's. SHA-256 is needed at once, so it is noble's: the class
 * itself, without what noble puts around it for streams and options.
 */
import { _SHA256 } from '@noble/hashes/sha2.js';

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** SHA-256 of `data`, written into `out` at `offset` (32 bytes). */
export function sha256Into(data: Uint8Array, out: Uint8Array, offset: number): void {
  new _SHA256().update(data).digestInto(out.subarray(offset, offset + 32));
}

/** SHA-256 of `data`: 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return new _SHA256().update(data).digest();
}
