/** Milliseconds of the machine's monotonic clock, which all processes share. */
const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const now = () => performance.now() + offset;

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Resolves at this moment of the clock, or at once when it has passed. */
export const until = (moment: number) => pause(Math.max(0, moment - now()));
