/** Logs for witnesses: any leaves, forks of them, and their checkpoints as signed notes, all by the twin. */
import * as twin from '../twin/index.js';
import { keyPair, named } from '../worlds.js';

export class NotedLog {
  private readonly leaves: Buffer[];

  constructor(
    readonly origin: string,
    size: number,
    /** From this leaf on it is another log of the same origin and key. */
    fork = { from: size, name: '' },
    readonly key = keyPair(`log ${origin}`),
  ) {
    this.leaves = Array.from({ length: size }, (_, i) =>
      named(`${origin} ${i}${i >= fork.from ? ` ${fork.name}` : ''}`),
    );
  }

  get verifierKey(): string {
    return twin.verifierKey(this.origin, 1, this.key.id);
  }

  root(size: number): Buffer {
    return twin.root(this.leaves.slice(0, size));
  }

  proof(from: number, to: number): Buffer[] {
    return twin.consistencyProof(from, this.leaves.slice(0, to));
  }

  note(size: number, by = this.key): string {
    const text = `${this.origin}\n${size}\n${this.root(size).toString('base64')}\n`;
    return twin.signedNote(text, this.origin, by.id, twin.sign(by.secret, Buffer.from(text)));
  }

  request(old: number, size: number, proof = old <= size ? this.proof(old, size) : []): Buffer {
    return twin.request(BigInt(old), proof, this.note(size));
  }
}
