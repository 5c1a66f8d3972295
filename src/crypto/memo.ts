/**
 * What has been found out about keys and signatures, so that it is not found out again. Shared by all of the process: sockets to
 * one server bring the same attestations and checkpoints, and every manifest the same keys. On Node alone: a page has few
 * sockets, which bring no signature twice.
 */
import type { PublicKey } from './types.js';

/** Entries kept: at most twice this many, a few hundred bytes each. */
const GENERATION = 1024;

/** The values that were added last. */
class Recent<Value> {
  private newer = new Map<string, Value>();
  private older = new Map<string, Value>();

  get(name: string): Value | undefined {
    return this.newer.get(name) ?? this.older.get(name);
  }

  set(name: string, value: Value): void {
    if (this.newer.size >= GENERATION) {
      this.older = this.newer;
      this.newer = new Map();
    }
    this.newer.set(name, value);
  }
}

const nameOf = (...parts: readonly Uint8Array[]) =>
  parts.map((part) => String.fromCharCode(...part)).join('');

/** What was verified, by key and signature. */
const verified = new Recent<Uint8Array>();

/** The same key, which remembers what has verified on exactly (key, bytes, signature), and nothing else. */
export function memoised(key: PublicKey): PublicKey {
  const verify = (message: Uint8Array, signature: Uint8Array) => {
    const name = nameOf(key.bytes, signature);
    const known = verified.get(name);
    if (known && Buffer.compare(known, message) === 0) return true;
    if (!key.verify(message, signature)) return false;
    verified.set(name, Uint8Array.from(message));
    return true;
  };
  return { bytes: key.bytes, verify };
}

const good = new Recent<true>();

/** Asks `isGood` of each key once, as long as it is remembered; only of good ones. */
export function onceGood(key: Uint8Array, isGood: (key: Uint8Array) => boolean): boolean {
  const name = nameOf(key);
  if (good.get(name)) return true;
  if (!isGood(key)) return false;
  good.set(name, true);
  return true;
}
