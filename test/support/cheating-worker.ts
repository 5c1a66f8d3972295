/**
 * The server's worker with an outbox, receiver, router or inbox that cheats one mailbox. What it does is told by a file, so that it can be set while
 * the server runs, and is over with the first message that it is done to:
 *
 *   CHEAT_FILE   {"way", "from", "to", "instead", "beside"}: sender, recipient and, to drop for, other mailboxes of the outbox, in hexadecimal
 *
 *   drop    the recipient's row goes to another mailbox, which nobody reads
 *   lose    so does the recipient's, and the sender's own to a second one
 *   alter   the recipient gets another body, with the hash that it makes
 *   skip    the router leaves out the recipient's row, whoever has sent it, or has it for another mailbox; with "beside" the sender's own for a second one
 *   address the router gives the recipient, of two, the message as one to "instead" beside it, with the hash that this makes
 *   stray   the receiver has the recipient's row for another mailbox, whoever has sent it
 *   omit    the inbox counts the message, and does not take it in
 *   forge   the inbox takes in another body, with the hash that it makes, and says that the sender has not signed
 *   inject  the inbox takes in the message once more, with the sender's next counter, and says that the sender has not signed
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { sha256 } from '#crypto';
import { bundleBytes, chunkOf, counterOf, leavesOf } from '../../src/actors/batch.js';
import { FrameHasher } from '../../src/actors/frame-hasher.js';
import { HashedFrame } from '../../src/actors/hashed-frame.js';
import { Inbox } from '../../src/actors/inbox.js';
import { InboxQueue } from '../../src/actors/inbox-queue.js';
import {
  type Items,
  type MessageBatch,
  type ReceiverItems,
  SENT_ONLY,
  WHERE,
} from '../../src/actors/messages.js';
import { Outbox } from '../../src/actors/outbox.js';
import { Receiver } from '../../src/actors/receiver.js';
import { Router } from '../../src/actors/router.js';
import { LEAF_PART_BYTES, LEAF_PREFIX } from '../../src/protocol/bundle-layout.js';
import {
  BundleHasher,
  BundleView,
  concat,
  fromHex,
  INBOX_ROW_BYTES,
  leafBytes,
  RECEIVER_PREFIX,
  ROUTER_PREFIX,
  rowAt,
  ZERO_HASH,
} from '../../src/protocol/index.js';
import { runWorker } from '../../src/server/worker.js';
import type { WorkerTask } from '../../src/server/worker-task.js';
import {
  byOrder,
  changed,
  inboxOf,
  indexOf,
  itemsOf,
  mailboxOf,
  mistake,
  type Row,
  rowsOf,
} from '../byzantine/rows.js';

export interface Cheat {
  readonly way: 'drop' | 'lose' | 'alter' | 'skip' | 'address' | 'stray' | 'forge' | 'omit' | 'inject';
  readonly from: string;
  readonly to: string;
  readonly instead?: string;
  readonly beside?: string;
}

const file = process.env['CHEAT_FILE'] ?? '';
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Null while there is none, or it is somebody else's. */
function cheatOf(...ways: Cheat['way'][]): Cheat | null {
  const cheat = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Cheat) : null;
  return cheat && ways.includes(cheat.way) ? cheat : null;
}

function cheated(
  serverId: Uint8Array,
  message: ReceiverItems,
  { way, from, to, instead, beside }: Cheat,
): ReceiverItems {
  return mistake(message, (rows) => {
    const row = rows.find(
      (row) =>
        hex(mailboxOf(row)) === to &&
        row.position !== SENT_ONLY &&
        senderOf(batchOf(message, row), indexOf(row)) === from,
    );
    if (!row) return rows;
    rmSync(file);
    const other = changed(row, (bytes) => {
      if (way === 'alter') altered(serverId, batchOf(message, row), indexOf(row)).copy(bytes, 38);
      else Buffer.from(instead!, 'hex').copy(bytes, 0);
    });
    const told = rows.map((each) => (each === row ? other : each));
    if (way === 'lose') {
      const isOwn = (each: Row) =>
        hex(mailboxOf(each)) === from && inboxOf(each) === inboxOf(row) && indexOf(each) === indexOf(row);
      const own = told.findIndex(isOwn);
      told[own] = changed(told[own]!, (bytes) => Buffer.from(beside!, 'hex').copy(bytes, 0));
    }
    return told.sort(byOrder);
  });
}

function batchOf({ batches }: ReceiverItems, row: Row) {
  return batches.find(({ inbox }) => inbox === inboxOf(row))!;
}

/** What a router or receiver is about to sign, without the recipient's row, or with another mailbox in it. */
function skipped(items: Items, { from, to, instead, beside }: Cheat, prefix: Uint8Array): Items {
  const rows = rowsOf(items);
  const row = rows.find((each) => hex(mailboxOf(each)) === to && each.position !== SENT_ONLY);
  if (!row) return items;
  rmSync(file);
  const given = (each: Row, mailbox: string | undefined) =>
    mailbox ? [changed(each, (bytes) => Buffer.from(mailbox, 'hex').copy(bytes, 0))] : [];
  const isSenders = (each: Row) =>
    hex(mailboxOf(each)) === from && inboxOf(each) === inboxOf(row) && indexOf(each) === indexOf(row);
  const told = rows.flatMap((each) => {
    if (each === row) return given(each, instead);
    return beside && isSenders(each) ? given(each, beside) : [each];
  });
  return itemsOf(told.sort(byOrder), prefix);
}

/** What a router is about to sign, with the recipient's row of the message that it has given another recipient beside it. */
function addressed(
  serverId: Uint8Array,
  items: Items,
  batch: MessageBatch,
  { from, to, instead }: Cheat,
): Items {
  const rows = rowsOf(items);
  const isTo = (row: Row) => hex(mailboxOf(row)) === to && row.position !== SENT_ONLY;
  const row = rows.find((each) => isTo(each) && senderOf(batch, indexOf(each)) === from);
  if (!row) return items;
  rmSync(file);
  const index = indexOf(row);
  const cursor = bundleAt(batch, index);
  const other = 1 - row.position;
  cursor.bytes.set(fromHex(instead!, 32), cursor.mailboxAt(other));
  const at = cursor.leafAt(other);
  const leaf = leafBytes(cursor.bytes.subarray(at, at + LEAF_PART_BYTES));
  leavesOf(batch, index, 2).set(sha256(concat(LEAF_PREFIX, leaf)), other * 32);
  const made = changed(row, (bytes) => hashOf(serverId, batch, index).copy(bytes, 38));
  return itemsOf(
    rows.map((each) => (each === row ? made : each)),
    ROUTER_PREFIX,
  );
}

/** What an inbox does with a frame that it takes in. */
interface TakingIn {
  queue: InboxQueue;
  senders: { put(id: string, state: { last: number }): void };
  stateOf(id: string): { last: number };
  take(hashed: HashedFrame, ...rest: unknown[]): void;
  readonly options: { readonly serverId: Uint8Array };
  enqueue(
    hashed: HashedFrame,
    known: number,
    id: string,
    state: { last: number },
    submission: Uint8Array,
  ): void;
}

/** Whether it was one of the sender's alone, which is counted now and nowhere. */
function omitted(inbox: TakingIn, { frame }: HashedFrame, { from }: Cheat): boolean {
  if (hex(frame.sender) !== from || frame.count !== 1) return false;
  rmSync(file);
  const id = Buffer.from(frame.sender).toString('latin1');
  inbox.queue.countFrame(frame);
  inbox.senders.put(id, { ...inbox.stateOf(id), last: frame.firstCounter });
  return true;
}

/** The sender's frame of one message, just taken in, once more under the counter behind it. */
function inject(inbox: TakingIn, { frame }: HashedFrame, { from }: Cheat): void {
  if (hex(frame.sender) !== from || frame.count !== 1) return;
  rmSync(file);
  const id = Buffer.from(frame.sender).toString('latin1');
  const chunk = { id: frame.chunk.id, bytes: frame.chunk.bytes.slice() };
  const again = { ...frame, firstCounter: frame.firstCounter + 1, chunk };
  new FrameHasher(inbox.options.serverId).hash(again, Uint32Array.of(frame.to - frame.from));
  inbox.enqueue(new HashedFrame(again), 0, id, inbox.stateOf(id), ZERO_HASH);
}

/** The first message of the sender, in the rows that are about to be signed. */
function forge(serverId: Uint8Array, batch: MessageBatch, { from }: Cheat): void {
  for (let x = 0; x < batch.count; x++) {
    if (senderOf(batch, x) !== from) continue;
    rmSync(file);
    const row = batch.pages.subarray(rowAt(x, INBOX_ROW_BYTES));
    row.set(altered(serverId, batch, x));
    row.fill(0, 32, 64);
    return;
  }
}

function senderOf(batch: MessageBatch, index: number): string {
  const run = batch.where[index * WHERE.fields + WHERE.run]!;
  return hex(batch.runs.subarray(run * 44, run * 44 + 32));
}

function bundleAt(batch: MessageBatch, index: number): BundleView {
  const start = batch.where[index * WHERE.fields + WHERE.from]!;
  const cursor = new BundleView();
  cursor.jump(chunkOf(batch, index), start, start + bundleBytes(batch, index));
  return cursor;
}

/** Of the message as it lies there. */
function hashOf(serverId: Uint8Array, batch: MessageBatch, index: number): Buffer {
  const hasher = new BundleHasher(serverId);
  hasher.sender(Buffer.from(senderOf(batch, index), 'hex'), 0);
  const hash = Buffer.alloc(32);
  hasher.bundle(counterOf(batch, index), bundleAt(batch, index), hash, 0);
  return hash;
}

/** Flips a bit of the body where it lies; the hash of the message that this makes. */
function altered(serverId: Uint8Array, batch: MessageBatch, index: number): Buffer {
  const { bytes, end } = bundleAt(batch, index);
  bytes[end - 1]! ^= 1;
  return hashOf(serverId, batch, index);
}

export default function cheatingWorker(task: WorkerTask): Promise<void> {
  const { serverId } = task;
  const { handle } = Outbox.prototype;
  Outbox.prototype.handle = function (this: Outbox, message) {
    const cheat = message.type === 'receiver-items' && cheatOf('drop', 'lose', 'alter');
    handle.call(this, cheat ? cheated(serverId, message, cheat) : message);
  };
  const routers = Router.prototype as unknown as { pack(...given: unknown[]): Items[] };
  const { pack } = routers;
  routers.pack = function (...given) {
    const shares = pack.apply(this, given);
    const cheat = cheatOf('skip', 'address');
    if (!cheat) return shares;
    const batch = given[2] as MessageBatch;
    return shares.map((items) =>
      cheat.way === 'skip' ? skipped(items, cheat, ROUTER_PREFIX) : addressed(serverId, items, batch, cheat),
    );
  };
  const receivers = Receiver.prototype as unknown as { merge(...given: unknown[]): Items };
  const { merge } = receivers;
  receivers.merge = function (...given) {
    const items = merge.apply(this, given);
    const cheat = cheatOf('stray');
    return cheat ? skipped(items, cheat, RECEIVER_PREFIX) : items;
  };
  const inboxes = Inbox.prototype as unknown as TakingIn;
  const { take } = inboxes;
  inboxes.take = function (hashed, ...rest) {
    const cheat = cheatOf('omit');
    if (!cheat || !omitted(this, hashed, cheat)) take.call(this, hashed, ...rest);
    const injecting = cheatOf('inject');
    if (injecting) inject(this, hashed, injecting);
  };
  const { batch } = InboxQueue.prototype;
  InboxQueue.prototype.batch = function (this: InboxQueue) {
    const cheat = cheatOf('forge');
    const made = batch.call(this);
    if (cheat) forge(serverId, made, cheat);
    return made;
  };
  return runWorker(task, () => {});
}
