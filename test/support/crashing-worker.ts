/**
 * The server's worker, with a process that kills itself at a named point of the commit path. The point
 * is armed by a file, so that it can be set while the server runs: `{"point","after"}`, `after` epochs
 * (or reservations, or new mailboxes) from then on. Every epoch number that is closed is written down.
 *
 *   CRASH_FILE   where the point stands
 *   EPOCH_FILE   where closed epochs go, one decimal number a line
 */
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import type { StoreRecord } from '../../src/actors/messages.js';
import { type Phase, RESERVED_KEY } from '../../src/actors/sequencer.js';
import { TABLE } from '../../src/actors/store-keys.js';
import { equalBytes } from '../../src/protocol/index.js';
import { Store } from '../../src/server/store.js';
import { runWorker } from '../../src/server/worker.js';
import type { WorkerTask } from '../../src/server/worker-task.js';

type Write = 'epoch' | 'reservation' | 'mailbox';
/** before: not handed to the database. during: handed over. after: durable, nobody told. */
type Moment = 'before' | 'during' | 'after';
export type CrashPoint = Phase | `${Write}-${Moment}`;

export const CRASH_POINTS: readonly CrashPoint[] = [
  ...(['reserved', 'closing', 'attested', 'committing', 'durable', 'published'] as const),
  ...(['epoch-before', 'epoch-during', 'epoch-after'] as const),
  ...(['reservation-before', 'reservation-during', 'reservation-after'] as const),
  ...(['mailbox-before', 'mailbox-during', 'mailbox-after'] as const),
];

const crashFile = process.env['CRASH_FILE'] ?? '';
const epochFile = process.env['EPOCH_FILE'] ?? '';
const passed = new Map<CrashPoint, number>();

function armed(): { point: CrashPoint; after: number } | null {
  return existsSync(crashFile) ? JSON.parse(readFileSync(crashFile, 'utf8')) : null;
}

function crashAt(point: CrashPoint): void {
  const wanted = armed();
  if (wanted?.point !== point) return;
  const times = (passed.get(point) ?? 0) + 1;
  passed.set(point, times);
  if (times >= wanted.after) die();
}

function die(): void {
  rmSync(crashFile);
  process.kill(process.pid, 'SIGKILL');
  // The signal takes effect on this thread before anything more is done.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000);
}

function kindOf(records: readonly StoreRecord[]): Write | null {
  if (records.some(({ key }) => key[0] === TABLE.log)) return 'epoch';
  if (records.some(({ key }) => equalBytes(key, RESERVED_KEY))) return 'reservation';
  return records[0]?.key[0] === TABLE.mailbox ? 'mailbox' : null;
}

function spin(microseconds: number): void {
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
}

const write = Store.prototype.write;
Store.prototype.write = function (this: Store, records: readonly StoreRecord[], durable: () => void) {
  const kind = kindOf(records);
  if (kind === null) return write.call(this, records, durable);
  crashAt(`${kind}-before`);
  write.call(this, records, () => {
    crashAt(`${kind}-after`);
    durable();
  });
  if (armed()?.point !== `${kind}-during`) return;
  spin(Math.random() * 400);
  crashAt(`${kind}-during`);
};

export default function crashingWorker(task: WorkerTask): Promise<void> {
  return runWorker(task, (phase, epoch) => {
    if (phase === 'closing') appendFileSync(epochFile, `${epoch}\n`);
    crashAt(phase);
  });
}
