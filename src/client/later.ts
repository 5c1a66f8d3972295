/**
 * A part of the client that is loaded when it is first needed. What waits for it goes on in the order in which it
 * came; loading that failed fails all that waits, and is tried again for who comes next.
 */
import { CountersignError } from '../protocol/index.js';

interface Waiting<T> {
  readonly run: (part: T) => void;
  readonly fail: (error: unknown) => void;
}

export class Later<T> {
  /** Null until it is loaded, and all that waited for it has gone on. */
  now: T | null = null;
  private waiting: Waiting<T>[] = [];

  constructor(private readonly load: () => Promise<T>) {}

  /** `fail` is called with a temporary error, or with what `run` throws. */
  wait(run: (part: T) => void, fail: (error: unknown) => void): void {
    this.waiting.push({ run, fail });
    if (this.waiting.length === 1)
      this.load().then(
        (part) => this.loaded(part),
        (cause) => this.failed(cause),
      );
  }

  private loaded(part: T): void {
    for (const { run, fail } of this.waiting) {
      try {
        run(part);
      } catch (error) {
        fail(error);
      }
    }
    this.waiting = [];
    this.now = part;
  }

  private failed(cause: unknown): void {
    const { waiting } = this;
    this.waiting = [];
    const error = new CountersignError('connection-lost', 'a part of the client could not be loaded', {
      cause,
    });
    for (const { fail } of waiting) fail(error);
  }

  get(): Promise<T> {
    return new Promise((resolve, reject) => (this.now ? resolve(this.now) : this.wait(resolve, reject)));
  }

  /** Resolves when nothing waits for it, loaded or not. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => resolve();
      if (this.waiting.length > 0) this.wait(done, done);
      else done();
    });
  }
}
