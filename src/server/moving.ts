/**
 * Moves inboxes, outboxes and buckets in the store of a server that is stopped: what a next version of the manifest that
 * places ids elsewhere needs beside itself. Every epoch is committed and none is under way, and states of senders and
 * mailboxes lie under their ids, so they stay where they are; epochs stay as they were signed, under the numbers that their
 * own manifest gave. What says what an actor has yet to do is made anew:
 *
 *   C, M   brought up to the last epoch, as a start does it for each actor; flush marks say so
 *   R      of each epoch that somebody has not acknowledged: how many of each new outbox's mailboxes
 *   F      full mailboxes, and those that may have become so since this was written last, under their new outboxes
 *
 * All of it in the transaction that writes the manifest. Epochs are gone through a few at a time.
 */
import { Links } from '../actors/epoch-file.js';
import { idAt, idBytes } from '../actors/ids.js';
import { acknowledgedThrough, unacknowledged } from '../actors/mailbox-state.js';
import { MailboxTable } from '../actors/mailbox-table.js';
import type { StoreRecord } from '../actors/messages.js';
import { recoverMailboxes } from '../actors/outbox-recovery.js';
import { type Placements, placementFor } from '../actors/placements.js';
import { Quotas } from '../actors/quotas.js';
import { deletions } from '../actors/retention.js';
import { replaySenders, type SenderState, senderCodec } from '../actors/sender-state.js';
import { StateTable } from '../actors/state-table.js';
import {
  epochKey,
  flushMarkKey,
  fullKey,
  idKey,
  numberKey,
  numberValue,
  TABLE,
} from '../actors/store-keys.js';
import { referencesRecord, Unacknowledged } from '../actors/unacknowledged.js';
import { type ActorCounts, countsIn, getU64, type Manifest, type PlacedAt } from '../protocol/index.js';
import type { TellProgress } from './moved-ids.js';
import type { RecoveryStore } from './recovery.js';

export interface Move {
  readonly store: RecoveryStore;
  readonly write: (record: StoreRecord) => void;
  /** Of all epochs until now. */
  readonly placements: Placements;
  readonly lastEpoch: number;
  readonly next: Manifest;
  readonly observe: (step: string) => void;
  readonly progress: TellProgress;
}

type Placed = (id: Uint8Array) => PlacedAt;

/** Epochs looked at before anything about them is written. */
const EPOCHS_AT_ONCE = 256;
/** Who is full is known when a server starts, which knows how much is too much. */
const NO_QUOTA = {
  unacknowledgedEpochs: Number.POSITIVE_INFINITY,
  unacknowledgedBytes: Number.POSITIVE_INFINITY,
};

/** To be run in the transaction that writes the manifest: it reads what it has written. */
export function moveStates(move: Move): void {
  const { placements, next, observe } = move;
  const before = countsIn(placements.newest);
  const placed = placementFor(next, placements.serverId);
  observe('write the states of senders');
  writeSenders(move, before);
  observe('write the states of mailboxes');
  const changed = writeMailboxes(move, before);
  observe('count who has not acknowledged');
  countAgain(move, placed);
  observe('write who is full');
  moveFull(move, before, changed, placed);
  observe('write how far actors are');
  writeMarks(move, before);
}

function writeSenders({ store, write, lastEpoch }: Move, { inboxes }: ActorCounts): void {
  const senders = new StateTable<string, SenderState>(
    store,
    (id) => idKey(TABLE.sender, idBytes(id)),
    senderCodec,
  );
  for (let i = 0; i < inboxes; i++) replaySenders(store, i, lastEpoch, senders, flushMarkKey('inbox', i));
  for (const record of senders.flush()) write(record);
}

/** Returns those with something unacknowledged that are not as they were at the last flush. */
function writeMailboxes(move: Move, { outboxes }: ActorCounts): string[] {
  const { store: reader, write, lastEpoch, placements } = move;
  const mailboxes = new MailboxTable(reader);
  for (let index = 0; index < outboxes; index++) {
    const counts = new Unacknowledged(reader, index, placements.since);
    const quotas = new Quotas(NO_QUOTA, 0, index);
    const mark = flushMarkKey('outbox', index);
    recoverMailboxes({ reader, lastEpoch, index }, mailboxes, counts, quotas, mark);
    for (const record of counts.flush()) write(record);
  }
  const changed: string[] = [];
  for (const record of mailboxes.flush()) {
    write(record);
    const id = idAt(record.key, 1);
    const { links, own } = unacknowledged(mailboxes.lendTo(id)!);
    if (links + own > 0) changed.push(id);
  }
  return changed;
}

/** Of every epoch with a count. */
function countAgain(move: Move, placed: Placed): void {
  const { store, write, lastEpoch, progress } = move;
  let first = 0;
  for (let after = 0; ; ) {
    const epochs = countedBehind(store, after);
    for (const epoch of epochs) {
      first ||= epoch;
      progress('counting who has not acknowledged', epoch - first, lastEpoch - first + 1);
      const counts = countsOf(move, epoch, placed);
      for (const record of deletions(store, TABLE.references, epoch)) write(record);
      for (const [outbox, { mailboxes, own }] of counts)
        write(referencesRecord(epoch, outbox, { mailboxes, own, bodyBytes: 0 }));
    }
    if (epochs.length < EPOCHS_AT_ONCE) return;
    after = epochs.at(-1)!;
  }
}

/** The next few epochs behind this one that somebody has not acknowledged. */
function countedBehind(store: RecoveryStore, after: number): number[] {
  const epochs: number[] = [];
  const [from, to] = [after + 1, Number.MAX_SAFE_INTEGER].map((epoch) => numberKey(TABLE.references, epoch));
  for (const key of store.keys(from!, to!)) {
    const epoch = getU64(key, 1);
    if (epoch === epochs.at(-1)) continue;
    if (epochs.push(epoch) === EPOCHS_AT_ONCE) break;
  }
  return epochs;
}

/** By new outboxes: how many of their mailboxes have not acknowledged the epoch, and have only sent in it. */
function countsOf({ store, placements }: Move, epoch: number, placed: Placed) {
  const counts = new Map<number, { mailboxes: number; own: number }>();
  for (let old = 0; old < placements.countsAt(epoch).outboxes; old++) {
    const bytes = store.get(epochKey(TABLE.links, epoch, old));
    const links = bytes && Links.read(bytes);
    for (let i = 0; i < (links?.mailboxes ?? 0); i++) {
      const mailbox = links!.mailboxBytes(i);
      if (acknowledgedThrough(store.view(idKey(TABLE.mailbox, mailbox))!) >= epoch) continue;
      const { outbox } = placed(mailbox);
      const count = counts.get(outbox) ?? { mailboxes: 0, own: 0 };
      counts.set(outbox, count);
      count.mailboxes++;
      if (links!.isOwn(i)) count.own++;
    }
  }
  return counts;
}

function moveFull(
  { store, write }: Move,
  { outboxes }: ActorCounts,
  changed: readonly string[],
  placed: Placed,
): void {
  // As many as a start reads, too.
  const keys = [...store.keys(fullKey(0), fullKey(outboxes))].map((key) => Uint8Array.from(key));
  for (const key of keys) write({ key, value: null });
  for (const mailbox of new Set([...keys.map((key) => idAt(key, 3)), ...changed]))
    write({ key: fullKey(placed(idBytes(mailbox)).outbox, mailbox), value: Uint8Array.of(1) });
}

function writeMarks({ write, lastEpoch, next }: Move, before: ActorCounts): void {
  const after = countsIn(next);
  const mark = (kind: 'inbox' | 'outbox', most: number, count: number) => {
    for (let i = 0; i < most; i++)
      write({ key: flushMarkKey(kind, i), value: i < count ? numberValue(lastEpoch) : null });
  };
  mark('inbox', Math.max(before.inboxes, after.inboxes), after.inboxes);
  mark('outbox', Math.max(before.outboxes, after.outboxes), after.outboxes);
}
