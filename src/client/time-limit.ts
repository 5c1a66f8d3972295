import { onAbort } from './abortable.js';

/**
 * Aborts after so many milliseconds with a `TimeoutError`, or with the first of the others, as that says. Node 20 forgets the time of
 * `AbortSignal.any([AbortSignal.timeout(ms)])` with the next collection of garbage, however much waits for it.
 */
export function withTimeLimit(ms: number, ...others: readonly (AbortSignal | undefined)[]): AbortSignal {
  const ending = new AbortController();
  const leave: (() => void)[] = [];
  const end = (reason: unknown) => {
    clearTimeout(timer);
    for (const each of leave) each();
    ending.abort(reason);
  };
  const timer = setTimeout(() => end(new DOMException(`timeout of ${ms} ms`, 'TimeoutError')), ms);
  // Node's: what is done before the time is up does not keep a process.
  (timer as { unref?(): void }).unref?.();
  for (const other of others) if (other) leave.push(onAbort(other, () => end(other.reason)));
  return ending.signal;
}
