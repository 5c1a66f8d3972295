/** What an inbox keeps per sender, and how it is found again in what is durable. */
import { FormatError, getPlace, getU32, getU64, type Place, putPlace, putU64 } from '../protocol/index.js';
import { idAt } from './ids.js';
import { InboxRows } from './inbox-rows.js';
import { RUN, type StoreReader } from './messages.js';
import type { StateCodec, StateTable } from './state-table.js';
import { epochKey, TABLE } from './store-keys.js';

export interface SenderState {
  /** Highest counter taken in; 0 = none. */
  last: number;
  /** Its place; while it is queued, epoch 0 and the index in the queue. */
  place: Place;
  /** The queue that holds it, if it is not numbered yet. */
  queuedIn: object | null;
}

export const senderCodec: StateCodec<SenderState> = {
  encode({ last, place }) {
    const bytes = new Uint8Array(22);
    putU64(bytes, 0, last);
    putPlace(bytes, 8, place);
    return bytes;
  },
  /** Throws on a state that is none: what it leads to would make this inbox guilty, whoever wrote it. */
  decode(bytes) {
    const [last, place] = [getU64(bytes, 0), getPlace(bytes, 8)];
    if ((last === 0) !== (place.epoch === 0))
      throw new FormatError(`a sender's state with counter ${last} and epoch ${place.epoch}`);
    return { last, place, queuedIn: null };
  },
};

/** Applies the runs of epochs above the last flush. Returns the epoch of that flush. */
export function replaySenders(
  reader: StoreReader,
  inbox: number,
  lastEpoch: number,
  senders: StateTable<string, SenderState>,
  flushMark: Uint8Array,
): number {
  const mark = reader.get(flushMark);
  const flushed = mark ? getU64(mark, 0) : 0;
  const range = reader.range(
    epochKey(TABLE.senderRuns, flushed + 1, 0),
    epochKey(TABLE.senderRuns, lastEpoch + 1, 0),
  );
  for (const { key, value } of range) {
    if (getU16At(key) !== inbox) continue;
    const epoch = getU64(key, 1);
    const rows = inboxRows(reader, epoch, inbox);
    forEachRun(value, rows.count, (sender, firstCounter, firstIndex, count) => {
      const place = { epoch, inbox, index: firstIndex + count - 1 };
      senders.put(sender, { last: firstCounter + count - 1, place, queuedIn: null });
    });
  }
  return flushed;
}

function getU16At(key: Uint8Array): number {
  return (key[9]! << 8) | key[10]!;
}

function forEachRun(
  runs: Uint8Array,
  messages: number,
  visit: (sender: string, firstCounter: number, firstIndex: number, count: number) => void,
): void {
  for (let at = 0; at < runs.length; at += RUN.bytes) {
    const first = getU32(runs, at + RUN.first);
    const next = at + RUN.bytes < runs.length ? getU32(runs, at + RUN.bytes + RUN.first) : messages;
    visit(idAt(runs, at), getU64(runs, at + RUN.counter), first, next - first);
  }
}

function inboxRows(reader: StoreReader, epoch: number, inbox: number): InboxRows {
  return new InboxRows(reader.get(epochKey(TABLE.inboxRows, epoch, inbox)));
}

/** What reading an epoch costs, in runs looked at. */
const HOP_COST = 200;

/**
 * Place and hash of a sender's counter, found by walking back from `newest`, a place of a later
 * counter: within an epoch by the sender's runs, between epochs by the previous place that every
 * inbox row names. Undefined when the records are gone (retention), or when `budget` is used up: it
 * counts runs looked at, and an epoch read as many of them.
 */
export function findPlaced(
  reader: StoreReader,
  sender: string,
  counter: number,
  newest: Place,
  budget: { left: number },
): { place: Place; hash: Uint8Array } | undefined {
  for (let place = newest; place.epoch > 0; ) {
    const runs = reader.get(epochKey(TABLE.senderRuns, place.epoch, place.inbox));
    if (!runs) return undefined;
    const rows = inboxRows(reader, place.epoch, place.inbox);
    budget.left -= HOP_COST + runs.length / RUN.bytes;
    if (budget.left < 0) return undefined;
    let first = -1;
    let found = -1;
    forEachRun(runs, rows.count, (id, firstCounter, firstIndex, length) => {
      if (id !== sender) return;
      if (first < 0) first = firstIndex;
      if (counter >= firstCounter && counter < firstCounter + length)
        found = firstIndex + counter - firstCounter;
    });
    if (first < 0) return undefined;
    if (found >= 0) {
      return {
        place: { epoch: place.epoch, inbox: place.inbox, index: found },
        hash: rows.messageHash(found),
      };
    }
    place = rows.previous(first);
  }
  return undefined;
}
