/**
 * The server's worker on a disk that is full: from the write after FULL_AFTER others on, a write fails as
 * the database's does when no space is left.
 */
import type { StoreRecord } from '../../src/actors/messages.js';
import { Store } from '../../src/server/store.js';
import { runWorker } from '../../src/server/worker.js';
import type { WorkerTask } from '../../src/server/worker-task.js';

let left = Number(process.env['FULL_AFTER'] ?? Number.POSITIVE_INFINITY);
const { write } = Store.prototype;

Store.prototype.write = function (this: Store, records: readonly StoreRecord[], durable: () => void) {
  if (left-- > 0) return write.call(this, records, durable);
  const noSpace = Object.assign(new Error('No space left on device'), { code: 'ENOSPC' });
  const full = { database: { batch: () => Promise.reject(noSpace) } };
  write.call(Object.setPrototypeOf({ ...this, ...full }, Store.prototype), records, durable);
};

export default (task: WorkerTask): Promise<void> => runWorker(task, () => {});
