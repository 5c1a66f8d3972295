/**
 * A part of the client that is loaded when it is first needed. What waits for it goes on in the order in which it
 * came; loading that failed fails all that waits, and is tried again for who comes next.
 */
import { CountersignError } from '../protocol/index.js';

export class Later<T> {
  /** Null until it is loaded, and all that waited for it has gone on. */
  now: T | null = null;
  private loading: Promise<T> | null = null;

  constructor(private readonly load: () => Promise<T>) {}

  /** Rejects with a temporary error. */
  get(): Promise<T> {
    if (this.loading) return this.loading;
    const loading = this.load().catch((cause: unknown) => {
      this.loading = null;
      throw new CountersignError('connection-lost', 'a part of the client could not be loaded', { cause });
    });
    const loaded = (part: T) => {
      this.now = part;
    };
    // Once over for all that waits, then once more, behind it.
    loading.then(() => loading.then(loaded)).catch(() => {});
    this.loading = loading;
    return loading;
  }

  /** `fail` is called with a temporary error, or with what `run` throws. */
  wait(run: (part: T) => void, fail: (error: unknown) => void): void {
    this.get().then((part) => {
      try {
        run(part);
      } catch (error) {
        fail(error);
      }
    }, fail);
  }

  /** Resolves when what waits has gone on or failed. */
  async settled(): Promise<void> {
    await this.loading?.catch(() => {});
  }
}
