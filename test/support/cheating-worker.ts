/**
 * The server's worker with an outbox that cheats one mailbox. What it does is told by a file, so that it can be set while
 * the server runs, and is over with the first message that it is done to:
 *
 *   CHEAT_FILE   {"way", "from", "to", "instead"}: sender, recipient and, to drop for, another mailbox of the outbox, in hexadecimal
 *
 *   drop    the recipient's row goes to another mailbox, which nobody reads
 *   alter   the recipient gets another body, with the hash that it makes
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { bundleBytes, chunkOf, counterOf } from '../../src/actors/batch.js';
import { type ReceiverItems, SENT_ONLY, WHERE } from '../../src/actors/messages.js';
import { Outbox } from '../../src/actors/outbox.js';
import { BundleHasher, BundleView } from '../../src/protocol/index.js';
import { runWorker } from '../../src/server/worker.js';
import type { WorkerTask } from '../../src/server/worker-task.js';
import { byOrder, changed, inboxOf, indexOf, mailboxOf, mistake, type Row } from '../byzantine/rows.js';

export interface Cheat {
  readonly way: 'drop' | 'alter';
  readonly from: string;
  readonly to: string;
  readonly instead?: string;
}

const file = process.env['CHEAT_FILE'] ?? '';
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function cheated(serverId: Uint8Array, message: ReceiverItems): ReceiverItems {
  const { way, from, to, instead } = JSON.parse(readFileSync(file, 'utf8')) as Cheat;
  return mistake(message, (rows) => {
    const at = rows.findIndex(
      (row) => hex(mailboxOf(row)) === to && row.position !== SENT_ONLY && senderOf(message, row) === from,
    );
    if (at < 0) return rows;
    rmSync(file);
    const row = rows[at]!;
    const other = changed(row, (bytes) => {
      if (way === 'drop') Buffer.from(instead!, 'hex').copy(bytes, 0);
      else altered(serverId, message, row).copy(bytes, 38);
    });
    return rows.map((each, i) => (i === at ? other : each)).sort(byOrder);
  });
}

function batchOf({ batches }: ReceiverItems, row: Row) {
  return batches.find(({ inbox }) => inbox === inboxOf(row))!;
}

function senderOf(message: ReceiverItems, row: Row): string {
  const batch = batchOf(message, row);
  const run = batch.where[indexOf(row) * WHERE.fields + WHERE.run]!;
  return hex(batch.runs.subarray(run * 44, run * 44 + 32));
}

/** Flips a bit of the body where it lies; the hash of the message that this makes. */
function altered(serverId: Uint8Array, message: ReceiverItems, row: Row): Buffer {
  const batch = batchOf(message, row);
  const index = indexOf(row);
  const chunk = chunkOf(batch, index);
  const start = batch.where[index * WHERE.fields + WHERE.from]!;
  const end = start + bundleBytes(batch, index);
  chunk[end - 1]! ^= 1;
  const cursor = new BundleView();
  cursor.jump(chunk, start, end);
  const hasher = new BundleHasher(serverId);
  hasher.sender(Buffer.from(senderOf(message, row), 'hex'), 0);
  const hash = Buffer.alloc(32);
  hasher.bundle(counterOf(batch, index), cursor, hash, 0);
  return hash;
}

export default function cheatingWorker(task: WorkerTask): Promise<void> {
  const { handle } = Outbox.prototype;
  Outbox.prototype.handle = function (this: Outbox, message) {
    const isArmed = message.type === 'receiver-items' && existsSync(file);
    handle.call(this, isArmed ? cheated(task.serverId, message) : message);
  };
  return runWorker(task, () => {});
}
