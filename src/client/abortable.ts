/** What a signal ends. However much waits for one signal, it has one listener of ours, and none when nothing does. */
import { CountersignError } from '../protocol/index.js';

export function abortedError({ reason }: Pick<AbortSignal, 'reason'>): CountersignError {
  return new CountersignError('aborted', 'aborted by its signal', { cause: reason });
}

const waiting = new WeakMap<AbortSignal, { readonly all: Set<() => void>; readonly listener: () => void }>();

/** Runs when the signal is aborted, or at once where it is already. Returns how to leave. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) {
    run();
    return () => {};
  }
  let known = waiting.get(signal);
  if (!known) {
    const all = new Set<() => void>();
    known = { all, listener: () => [...all].forEach((each) => void (all.delete(each) && each())) };
    waiting.set(signal, known);
  }
  const { all, listener } = known;
  // One of its own, so that one function may wait twice.
  const entry = () => run();
  if (all.size === 0) signal.addEventListener('abort', listener, { once: true });
  all.add(entry);
  return () => {
    if (all.delete(entry) && all.size === 0) signal.removeEventListener('abort', listener);
  };
}

/** A promise that a signal can end. `start` begins the work and returns how it is given up. */
export function abortable<T>(
  signal: AbortSignal | undefined,
  start: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
): Promise<T> {
  let leave: (() => void) | undefined;
  const done = new Promise<T>((resolve, reject) => {
    if (signal?.aborted) throw abortedError(signal);
    let giveUp: (() => void) | undefined;
    if (signal)
      leave = onAbort(signal, () => {
        giveUp?.();
        reject(abortedError(signal));
      });
    giveUp = start(resolve, reject);
  });
  return signal ? done.finally(leave) : done;
}
