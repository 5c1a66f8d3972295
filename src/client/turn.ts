/** Runs something once the current turn of the event loop is over: what makes batches out of single calls. */
export const afterTurn: (run: () => void) => void =
  typeof setImmediate === 'function' ? (run) => void setImmediate(run) : (run) => void setTimeout(run, 0);
