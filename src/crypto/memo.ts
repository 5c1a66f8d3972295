/**
 * Signatures that have been verified, memoised on exactly (key, bytes, signature). Shared by all clients of the
 * process: sockets to one server bring the same attestations and checkpoints. On Node alone: a page has few
 * sockets, which bring no signature twice.
 */
import type { PublicKey } from './types.js';

/** Entries kept: at most twice this many, a few hundred bytes each. */
const GENERATION = 1024;

let recent = new Map<string, Uint8Array>();
let older = new Map<string, Uint8Array>();

/** The same key; only what has verified is remembered. */
export function memoised(key: PublicKey): PublicKey {
  const verify = (message: Uint8Array, signature: Uint8Array) => {
    const name = String.fromCharCode(...key.bytes, ...signature);
    const known = recent.get(name) ?? older.get(name);
    if (known && Buffer.compare(known, message) === 0) return true;
    return key.verify(message, signature) && remember(name, message);
  };
  return { bytes: key.bytes, verify };
}

function remember(name: string, message: Uint8Array): true {
  if (recent.size >= GENERATION) {
    older = recent;
    recent = new Map();
  }
  recent.set(name, Uint8Array.from(message));
  return true;
}
