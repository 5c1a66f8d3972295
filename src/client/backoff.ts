/**
 * Full-jitter exponential back-off: a delay is drawn evenly from zero to a ceiling that doubles with
 * every failure, so that clients of a server that restarts do not come back all at once.
 */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly firstMs: number,
    private readonly mostMs: number,
    /** Even in [0, 1). */
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const ceiling = Math.min(this.mostMs, this.firstMs * 2 ** Math.min(this.failures++, 30));
    return Math.floor(this.random() * ceiling);
  }

  /** The server has spoken: the next failure starts from the beginning. */
  reset(): void {
    this.failures = 0;
  }
}
