/** Milliseconds of the machine's monotonic clock, which all processes share. */
const TRIES = 100;

/**
 * Of this thread's clock. The thread may be interrupted between two reads, so the pair that lies closest together
 * counts: what comes in between makes the difference smaller, never larger.
 */
function offsetOf(): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < TRIES; i++)
    most = Math.max(most, Number(process.hrtime.bigint()) / 1e6 - performance.now());
  return most;
}

const offset = offsetOf();

export const now = () => performance.now() + offset;

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Resolves at this moment of the clock, or at once when it has passed. */
export const until = (moment: number) => pause(Math.max(0, moment - now()));
