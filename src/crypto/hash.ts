/** Hashing and chance with no platform but the web's. SHA-256 is needed at once, so it is noble's. */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** SHA-256 of `data`, written into `out` at `offset` (32 bytes). */
export function sha256Into(data: Uint8Array, out: Uint8Array, offset: number): void {
  out.set(nobleSha256(data), offset);
}

/** SHA-256 of `data`: 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data);
}
