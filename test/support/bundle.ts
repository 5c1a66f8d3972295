/** The browser build as one file, and how large it may be. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** Bytes, gzipped, with all of verification in it; about 7,500 of them are @noble. To be lowered, not raised. */
export const LIMIT = 37_376;

export const bundle = readFileSync(new URL('../../browser/client.js', import.meta.url));

export function bundleSize(): { readonly bytes: number; readonly gzipped: number } {
  return { bytes: bundle.length, gzipped: gzipSync(bundle, { level: 9 }).length };
}
