/** The browser build, and how large it may be. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** Bytes, gzipped, with all of verification in it. To be lowered, not raised. */
export const LIMIT = 24_600;

export const bundle = readFileSync(new URL('../../browser/client.js', import.meta.url));

/** What it loads where WebCrypto has no Ed25519. */
export const fallback = readFileSync(new URL('../../browser/noble.js', import.meta.url));

export function sizeOf(code: Uint8Array): { readonly bytes: number; readonly gzipped: number } {
  return { bytes: code.length, gzipped: gzipSync(code, { level: 9 }).length };
}
