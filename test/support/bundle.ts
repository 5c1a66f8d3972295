/** The browser build, and how large it may be. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** Bytes, gzipped, with all of verification in it. To be lowered, not raised. */
export const LIMIT = 20_000;
/** Of what a page loads that sends, too. */
export const SENDING_LIMIT = 24_750;

export const built = (name: string) => readFileSync(new URL(`../../browser/${name}.js`, import.meta.url));

export const bundle = built('client');

/** What it loads when something is sent for the first time. */
export const send = built('send');

/** What it loads when a claim is made for the first time. */
export const claims = built('claims');

/** What an application gives it, to compare with others. */
export const vectors = built('vectors');

/** What it loads where WebCrypto has no Ed25519. */
export const fallback = built('noble');

/** By itself: for a client that relies on witnesses. */
export const witnesses = built('witnesses');

export function sizeOf(code: Uint8Array): { readonly bytes: number; readonly gzipped: number } {
  return { bytes: code.length, gzipped: gzipSync(code, { level: 9 }).length };
}
