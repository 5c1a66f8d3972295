/**
 * Signatures that have been verified, memoised on exactly (key, bytes, signature). Shared by all
 * clients of the process: sockets to one server bring the same attestations and checkpoints.
 */
import type { Verifier } from '#crypto';
import { equalBytes } from '../protocol/index.js';

/** Entries kept: at most twice this many, a few hundred bytes each. */
const GENERATION = 1024;

export class SignatureCache {
  private recent = new Map<string, Uint8Array>();
  private older = new Map<string, Uint8Array>();

  constructor(private readonly generation = GENERATION) {}

  /**
   * Only what has verified is remembered: while an answer is still to come, the same question is
   * another question.
   */
  verify(key: Verifier, bytes: Uint8Array, signature: Uint8Array): boolean | Promise<boolean> {
    const name = String.fromCharCode(...key.bytes, ...signature);
    const known = this.recent.get(name) ?? this.older.get(name);
    if (known && equalBytes(known, bytes)) return true;
    const verified = key.verify(bytes, signature);
    if (typeof verified === 'boolean') return verified && this.remember(name, bytes);
    return verified.then((good) => good && this.remember(name, bytes));
  }

  private remember(name: string, bytes: Uint8Array): true {
    if (this.recent.size >= this.generation) {
      this.older = this.recent;
      this.recent = new Map();
    }
    this.recent.set(name, Uint8Array.from(bytes));
    return true;
  }
}

export const verifiedSignatures = new SignatureCache();
