/**
 * Signatures that have been verified, memoised on exactly (key, bytes, signature). Shared by all
 * clients of the process: sockets to one server bring the same attestations and checkpoints.
 */
import type { PublicKey } from '#crypto';
import { equalBytes } from '../protocol/index.js';

/** Entries kept: at most twice this many, a few hundred bytes each. */
const GENERATION = 1024;

export class SignatureCache {
  private recent = new Map<string, Uint8Array>();
  private older = new Map<string, Uint8Array>();

  constructor(private readonly generation = GENERATION) {}

  /** Only what verified is remembered. */
  verify(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
    const name = String.fromCharCode(...key.bytes, ...signature);
    const known = this.recent.get(name) ?? this.older.get(name);
    if (known && equalBytes(known, bytes)) return true;
    if (!key.verify(bytes, signature)) return false;
    if (this.recent.size >= this.generation) {
      this.older = this.recent;
      this.recent = new Map();
    }
    this.recent.set(name, Uint8Array.from(bytes));
    return true;
  }
}

export const verifiedSignatures = new SignatureCache();
