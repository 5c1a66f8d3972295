/**
 * What the single-lock server and its clients say, on the same WebSockets as countersign's. A place is a sequence number.
 * Numbers are big-endian. To the server:
 *
 *   register  0x41 ‖ n × mailbox 32                            makes mailboxes; answered by ready when they are on disk
 *   open      0x42 ‖ n × (mailbox 32 ‖ acknowledged 8)         the same, and reads them: once, as slots 0, 1, …
 *   submit    as in src/protocol/frames.ts; its counters are the sender's own numbers, which come back in taken
 *   ack       as in src/protocol/frames.ts, with the sequence number for the epoch; cumulative
 *
 * From the server, and `error` as in src/protocol/frames.ts:
 *
 *   ready     0xc1
 *   taken     0xc2 ‖ n × (first counter 8 ‖ first place 8 ‖ count 2)      on disk, at consecutive places
 *   deliver   0xc3 ‖ n × (slot 2 ‖ place 8 ‖ envelope part ‖ body part)   parts as in a bundle, with lengths and tags
 */
import { getU16, getU32, getU64, putU16, putU64, Reader } from '../../src/protocol/index.js';

export const FRAME = { register: 0x41, open: 0x42, ready: 0xc1, taken: 0xc2, deliver: 0xc3 } as const;

export const READY = Uint8Array.of(FRAME.ready);

const ID_BYTES = 32;
const OPEN_BYTES = ID_BYTES + 8;
const RUN_BYTES = 18;
const ENTRY_HEAD_BYTES = 10;

// ---- register and open

export function encodeRegister(mailboxes: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.of(FRAME.register), ...mailboxes]);
}

/** Ids of 32 bytes. */
export function decodeRegister(frame: Uint8Array): Uint8Array[] {
  const from = new Reader(frame, 1);
  const ids: Uint8Array[] = [];
  while (from.at < frame.length) ids.push(from.hash());
  return ids;
}

export interface Opened {
  readonly mailbox: Uint8Array;
  /** Place; 0 = nothing yet. */
  readonly acknowledged: number;
}

export function encodeOpen(mailboxes: readonly Opened[]): Uint8Array {
  const frame = new Uint8Array(1 + mailboxes.length * OPEN_BYTES);
  frame[0] = FRAME.open;
  mailboxes.forEach(({ mailbox, acknowledged }, i) => {
    frame.set(mailbox, 1 + i * OPEN_BYTES);
    putU64(frame, 1 + i * OPEN_BYTES + ID_BYTES, acknowledged);
  });
  return frame;
}

export function decodeOpen(frame: Uint8Array): Opened[] {
  const from = new Reader(frame, 1);
  const opened: Opened[] = [];
  while (from.at < frame.length) opened.push({ mailbox: from.hash(), acknowledged: from.u64() });
  return opened;
}

// ---- taken

/** Consecutive counters at consecutive places. */
export interface TakenRun {
  readonly firstCounter: number;
  readonly firstPlace: number;
  count: number;
}

export function encodeTaken(runs: readonly TakenRun[]): Uint8Array {
  const frame = new Uint8Array(1 + runs.length * RUN_BYTES);
  frame[0] = FRAME.taken;
  runs.forEach(({ firstCounter, firstPlace, count }, i) => {
    const at = 1 + i * RUN_BYTES;
    putU64(frame, at, firstCounter);
    putU64(frame, at + 8, firstPlace);
    putU16(frame, at + 16, count);
  });
  return frame;
}

export function decodeTaken(frame: Uint8Array): TakenRun[] {
  const runs: TakenRun[] = [];
  for (let at = 1; at < frame.length; at += RUN_BYTES) {
    const [firstCounter, firstPlace] = [getU64(frame, at), getU64(frame, at + 8)];
    runs.push({ firstCounter, firstPlace, count: getU16(frame, at + 16) });
  }
  return runs;
}

// ---- deliver

/** One message for one slot; its parts lie in the bundle. */
export interface Entry {
  readonly slot: number;
  readonly place: number;
  readonly bundle: Buffer;
  /** Where the recipient's envelope part and the body part start, at their lengths. The body ends the bundle. */
  readonly envelopeAt: number;
  readonly bodyAt: number;
}

export function entryBytes({ bundle, envelopeAt, bodyAt }: Entry): number {
  return ENTRY_HEAD_BYTES + 4 + getU32(bundle, envelopeAt) + bundle.length - bodyAt;
}

/** `bytes`: the sum of `entryBytes`. The frame is a buffer of its own. */
export function encodeDeliver(entries: readonly Entry[], bytes: number): Uint8Array {
  const frame = Buffer.allocUnsafe(1 + bytes);
  frame[0] = FRAME.deliver;
  let at = 1;
  for (const { slot, place, bundle, envelopeAt, bodyAt } of entries) {
    putU16(frame, at, slot);
    putU64(frame, at + 2, place);
    at += ENTRY_HEAD_BYTES;
    at += bundle.copy(frame, at, envelopeAt, envelopeAt + 4 + getU32(bundle, envelopeAt));
    at += bundle.copy(frame, at, bodyAt);
  }
  return frame;
}

/** Visits the entries; `from` and `to` are the body part's, behind its length. */
export function forEachEntry(
  frame: Uint8Array,
  visit: (slot: number, place: number, from: number, to: number) => void,
): void {
  for (let at = 1; at < frame.length; ) {
    const envelopeAt = at + ENTRY_HEAD_BYTES;
    const bodyAt = envelopeAt + 4 + getU32(frame, envelopeAt);
    const to = bodyAt + 4 + getU32(frame, bodyAt);
    visit(getU16(frame, at), getU64(frame, at + 2), bodyAt + 4, to);
    at = to;
  }
}
