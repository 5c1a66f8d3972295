/** A promise that a signal can end. The signal keeps no listener once it is settled. */
import { CountersignError } from '../protocol/index.js';

export function abortedError(signal: AbortSignal): CountersignError {
  return new CountersignError('aborted', 'aborted by its signal', { cause: signal.reason });
}

/** `start` begins the work and returns how it is given up. */
export function abortable<T>(
  signal: AbortSignal | undefined,
  start: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (!signal) return void start(resolve, reject);
    if (signal.aborted) throw abortedError(signal);
    let giveUp = () => {};
    const abort = () => {
      giveUp();
      reject(abortedError(signal));
    };
    const settle =
      <V>(run: (value: V) => void) =>
      (value: V) => {
        signal.removeEventListener('abort', abort);
        run(value);
      };
    signal.addEventListener('abort', abort, { once: true });
    const refuse = settle(reject);
    try {
      giveUp = start(settle(resolve), refuse);
    } catch (error) {
      refuse(error);
    }
  });
}
