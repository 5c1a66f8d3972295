/** Keys by name, without the house's random generators: for processes that start often. */
import { importSecretKey, sha256 } from '#crypto';
import { ascii } from '../../src/protocol/index.js';

/** Secret seed: 32 bytes that depend on nothing but the name. */
export const keyOf = (name: string): Uint8Array => Uint8Array.from(sha256(ascii(`key of ${name}`)));

const ids = new Map<string, Uint8Array>();

export function idOf(name: string): Uint8Array {
  const id = ids.get(name) ?? importSecretKey(keyOf(name)).publicKey;
  ids.set(name, id);
  return id;
}

/** A small generator whose whole run depends on its seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
