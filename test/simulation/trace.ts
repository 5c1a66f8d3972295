/** What a run did, as a hash over every event, and its last lines to read. */
import { createHash, hash } from 'node:crypto';

const LINES_KEPT = 200;

export class Trace {
  private readonly running = createHash('sha256');
  private lines: string[] = [];
  events = 0;

  note(line: string): void {
    this.events++;
    this.running.update(`${line}\n`);
    this.lines.push(line);
    if (this.lines.length >= 2 * LINES_KEPT) this.lines = this.lines.slice(-LINES_KEPT);
  }

  digest(): string {
    return this.running.copy().digest('hex');
  }

  last(count: number): readonly string[] {
    return this.lines.slice(-count);
  }
}

/** A short name of bytes. */
export function nameOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, 8);
}
