/** CPU seconds and memory of processes over the run, from /proc (Linux). */
import type { Usage } from './result.js';
import { memoryOf, usageOf } from './server-process.js';

/** CPU seconds so far, and memory at most so far, of several processes together. */
export function usageOfAll(pids: readonly number[]): Usage {
  const all = pids.map(usageOf);
  return {
    cpuSeconds: all.reduce((sum, { cpu }) => sum + cpu, 0),
    peakMiB: all.reduce((sum, { peakMiB }) => sum + peakMiB, 0),
  };
}

/** What was used since `before`; the peak is that of the whole life. */
export function since(before: Usage, after: Usage): Usage {
  return { cpuSeconds: after.cpuSeconds - before.cpuSeconds, peakMiB: after.peakMiB };
}

/** At one moment, once a second; NaN of a process that has ended. */
export interface Sample {
  readonly cpuSeconds: number;
  readonly mebibytes: number;
}

export function sampleOf(pids: readonly number[]): Sample {
  const bytes = pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
  return { cpuSeconds: usageOfAll(pids).cpuSeconds, mebibytes: bytes / 2 ** 20 };
}

function residentBytes(pid: number): number {
  try {
    const { own, files } = memoryOf(pid);
    return own + files;
  } catch {
    return Number.NaN;
  }
}
