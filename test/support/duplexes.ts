/** What carries bytes between two that compare. */
import type { Duplex } from '../../src/client/vectors-entry.js';

export class Pipe implements AsyncIterable<Uint8Array> {
  readonly sent: Uint8Array[] = [];
  private waiting: (() => void) | null = null;
  private ended = false;

  push(bytes: Uint8Array): void {
    this.sent.push(bytes);
    this.waiting?.();
  }

  end(): void {
    this.ended = true;
    this.waiting?.();
  }

  async *[Symbol.asyncIterator]() {
    for (let i = 0; ; i++) {
      while (i >= this.sent.length && !this.ended)
        await new Promise<void>((resolve) => {
          this.waiting = resolve;
        });
      if (i >= this.sent.length) return;
      yield this.sent[i]!;
    }
  }
}

export function duplexes(): { one: Duplex; other: Duplex; toOther: Pipe; toOne: Pipe } {
  const [toOne, toOther] = [new Pipe(), new Pipe()];
  const one = { incoming: toOne, send: (bytes: Uint8Array) => toOther.push(bytes) };
  return { one, other: { incoming: toOther, send: (bytes) => toOne.push(bytes) }, toOther, toOne };
}
