/**
 * Wakes the event loop at a moment of the clock. Timers are late by up to a millisecond and more, which would be most of a
 * light load's latency; a thread that sleeps on a futex is not.
 */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const MODULE = fileURLToPath(new URL('./alarm-thread.js', import.meta.url));

/** Shared with the thread: how often the alarm was set, and for when. */
export interface AlarmShared {
  readonly turn: Int32Array;
  readonly moment: Float64Array;
}

export class Alarm {
  private readonly shared: AlarmShared = {
    turn: new Int32Array(new SharedArrayBuffer(8)),
    moment: new Float64Array(new SharedArrayBuffer(8)),
  };
  private readonly thread = new Worker(MODULE, { workerData: this.shared });

  constructor(ring: () => void) {
    this.thread.on('message', ring);
    this.thread.unref();
  }

  /** For one moment at a time: the next when this one has rung. */
  set(moment: number): void {
    const { turn } = this.shared;
    this.shared.moment[0] = moment;
    Atomics.add(turn, 0, 1);
    Atomics.notify(turn, 0);
  }

  stop(): void {
    this.thread.removeAllListeners('message');
    void this.thread.terminate();
  }
}
