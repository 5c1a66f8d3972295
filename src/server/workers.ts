/**
 * The worker threads: one long-running Piscina task each, with a port between any two threads. The
 * only home of Piscina. A task that ends before it is told to has failed, and the server with it.
 */
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { Envelope } from '../actors/switchboard.js';
import { deferred } from './deferred.js';
import { fromOtherThread } from './operator-error.js';
import type { FromWorker, ToWorker, WorkerTask } from './worker-task.js';

/** The module whose default export is the task; tests give their own, which crash on purpose. */
export const WORKER_MODULE = fileURLToPath(new URL('./worker.js', import.meta.url));

/** How long tasks that were told to stop may take. */
const STOP_MS = 10_000;

export interface Workers {
  /** Resolves when every thread's actors have recovered. */
  readonly ready: Promise<void>;
  post(thread: number, envelopes: Envelope[]): void;
  /** Stops every task and waits for them. */
  stop(): Promise<void>;
}

export function startWorkers(
  module: string,
  threads: number,
  taskOf: (thread: number, ports: ReadonlyMap<number, MessagePort>) => WorkerTask,
  receive: (envelopes: readonly Envelope[]) => void,
  failed: (error: Error) => void,
): Workers {
  const pool = new Piscina({
    filename: module,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
    maxQueue: 0,
  });
  const ports = connect(threads);
  const main = ports[0]!;
  let stopping = false;
  let waiting = threads;
  const ready = deferred<void>();
  for (const port of main.values()) {
    port.on('message', (message: FromWorker) => {
      if (message.type === 'envelopes') receive(message.envelopes);
      else if (--waiting === 0) ready.resolve();
    });
  }
  const tasks = Array.from({ length: threads }, (_, i) => {
    const own = ports[i + 1]!;
    const task = taskOf(i + 1, own);
    return pool.run(task, { transferList: [...own.values()] }).then(
      () => {
        if (!stopping) failed(new Error(`worker ${i + 1} ended by itself`));
      },
      (error: unknown) => failed(fromOtherThread(error)),
    );
  });
  return {
    ready: ready.promise,
    post(thread, envelopes) {
      main.get(thread)!.postMessage({ type: 'envelopes', envelopes } satisfies ToWorker);
    },
    async stop() {
      stopping = true;
      for (const port of main.values()) port.postMessage({ type: 'stop' } satisfies ToWorker);
      // A task that does not end is ended with its thread: all that was told is on disk.
      const late = new Promise((resolve) => setTimeout(resolve, STOP_MS).unref());
      await Promise.race([Promise.all(tasks), late]);
      for (const port of main.values()) port.close();
      await pool.destroy();
    },
  };
}

/** A channel between any two of threads 0 to `threads`: per thread, its ports by the other's number. */
function connect(threads: number): Map<number, MessagePort>[] {
  const ports = Array.from({ length: threads + 1 }, () => new Map<number, MessagePort>());
  for (let a = 0; a <= threads; a++) {
    for (let b = a + 1; b <= threads; b++) {
      const { port1, port2 } = new MessageChannel();
      ports[a]!.set(b, port1);
      ports[b]!.set(a, port2);
    }
  }
  return ports;
}
