/**
 * A part of the client that is loaded when it is first needed. What waits for it goes on in the order in which it
 * came; loading that failed fails all that waits, and is tried again for who comes next.
 */
import { CountersignError } from '../protocol/index.js';
import { abortable } from './abortable.js';

export class Later<T> {
  loaded: T | null = null;
  private loading: Promise<T> | null = null;
  private waiting = 0;

  constructor(private readonly load: () => Promise<T>) {}

  /** For who goes on at once. Null until it is loaded, and all that waited for it has gone on. */
  get now(): T | null {
    return this.waiting > 0 ? null : this.loaded;
  }

  /** Rejects with a temporary error, or as the signal says. */
  get(signal?: AbortSignal): Promise<T> {
    this.loading ??= this.load().then(
      (part) => {
        this.loaded = part;
        return part;
      },
      (cause: unknown) => {
        this.loading = null;
        throw new CountersignError('connection-lost', 'a part does not load', { cause });
      },
    );
    const { loading } = this;
    if (!signal) return loading;
    return abortable(signal, (resolve, reject) => {
      loading.then(resolve, reject);
      return () => {};
    });
  }

  /** `fail` is called with a temporary error, or with what `run` throws. */
  wait(run: (part: T) => void, fail: (error: unknown) => void): void {
    this.waiting++;
    const go = (step: () => void) => {
      try {
        step();
      } catch (error) {
        fail(error);
      }
      this.waiting--;
    };
    this.get().then(
      (part) => go(() => run(part)),
      (error: unknown) => go(() => fail(error)),
    );
  }

  /** Resolves when what waits has gone on or failed. */
  async settled(): Promise<void> {
    await this.loading?.catch(() => {});
  }
}
