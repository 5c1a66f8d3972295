/** Runs something once the current turn of the event loop is over: what makes batches out of single calls. */
export const afterTurn: (run: () => void) => void =
  typeof setImmediate === 'function' ? (run) => void setImmediate(run) : byMessages();

/** By messages to oneself: browsers hold back the timers of pages that are not seen, but not these. */
function byMessages(): (run: () => void) => void {
  const { port1, port2 } = new MessageChannel();
  const queue: (() => void)[] = [];
  port1.onmessage = () => queue.shift()!();
  return (run) => {
    queue.push(run);
    port2.postMessage(0);
  };
}
