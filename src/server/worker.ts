/** A worker thread's task: hosts its share of the actors until it is told to stop. */
import { hostActors, threadOf } from '../actors/pipeline.js';
import { Switchboard } from '../actors/switchboard.js';
import type { VerifySubmission } from '../actors/waiting-frames.js';
import { verifyLater } from '../crypto/verify-later.js';
import { openManifests } from '../protocol/index.js';
import { forOtherThread } from './operator-error.js';
import { readFrontier } from './recovery.js';
import { Store } from './store.js';
import type { FromWorker, ObservePhase, ToWorker, WorkerTask } from './worker-task.js';

/** Epochs between two writes of changed states: what a restart must replay at the most. */
const FLUSH_EPOCHS = 64;

/** Resolves when stopped; rejects when an actor or the store fails, which must end the process. */
export function runWorker(task: WorkerTask, observe: ObservePhase): Promise<void> {
  return new Promise((resolve, fail) => {
    const reject = (error: unknown) => fail(forOtherThread(error));
    const store = Store.open(task.data, reject);
    const main = task.ports.get(0)!;
    const tell = (message: FromWorker) => main.postMessage(message);
    const guarded = (run: () => void) => {
      try {
        run();
      } catch (error) {
        reject(error);
      }
    };
    const switchboard = new Switchboard(
      task.thread,
      (to) => threadOf(task.plan, to),
      (thread, envelopes) => {
        const message: ToWorker = { type: 'envelopes', envelopes };
        task.ports.get(thread)!.postMessage(message);
      },
    );
    const hosted = hostActors(
      pipelineOptions(task, store, switchboard, guarded, observe, reject),
      task.thread,
      switchboard,
    );
    const take = (message: ToWorker) => {
      if (message.type === 'envelopes') {
        store.refresh();
        guarded(() => switchboard.receive(message.envelopes));
        return;
      }
      hosted.stop();
      for (const port of task.ports.values()) port.close();
      store.close().then(resolve, reject);
    };
    for (const port of task.ports.values()) port.on('message', take);
    tell({ type: 'ready' });
  });
}

function pipelineOptions(
  task: WorkerTask,
  store: Store,
  switchboard: Switchboard,
  guarded: (run: () => void) => void,
  observe: ObservePhase,
  failed: (error: Error) => void,
) {
  const manifests = openManifests(task.manifests);
  const stepped = (run: () => void) => guarded(() => switchboard.step(run));
  return {
    plan: task.plan,
    serverId: task.serverId,
    manifests,
    manifestHash: manifests.at(-1)!.hash,
    seedOf: ({ kind, index }: { kind: string; index: number }) => task.seeds.get(`${kind} ${index}`)!,
    checkInputs: task.checkInputs,
    verifySubmission: (...[key, bytes, signature, done]: Parameters<VerifySubmission>) =>
      verifyLater(key, bytes, signature, (isGood) => stepped(() => done(isGood))),
    bytesInFlight: task.bytesInFlight,
    quota: task.quota,
    later: (step: () => void) => setImmediate(() => stepped(step)),
    bytesInFlightInAll: task.bytesInFlightInAll,
    flushEpochs: FLUSH_EPOCHS,
    reader: store,
    lastEpoch: task.log.lastEpoch,
    checkpoint: task.checkpoint,
    frontier: () => readFrontier(store, task.log.size),
    sequencer: {
      write: (records: Parameters<Store['write']>[0], durable: () => void) =>
        store.write(records, () => stepped(durable)),
      reserved: task.log.reserved,
      minIntervalMs: task.minIntervalMs,
      heartbeatMs: task.heartbeatMs,
      now: () => performance.now(),
      clock: {
        setTimeout: (run: (...args: unknown[]) => void, ms: number) => setTimeout(() => stepped(run), ms),
        clearTimeout: (id: NodeJS.Timeout) => clearTimeout(id),
      },
      observe,
      failed,
    },
  };
}

/** Piscina calls this. */
export default (task: WorkerTask): Promise<void> => runWorker(task, () => {});
