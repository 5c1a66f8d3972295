/**
 * Control frames: everything on a socket but deliveries (delivery.ts). A frame is one binary WebSocket
 * message: a type byte, then fixed-width fields in the order of the tables below.
 *
 * Decoders are strict: one value, one encoding; trailing bytes are a `FormatError`.
 */
import { ascii, FormatError, Reader, SIGNATURE_BYTES, Writer } from './bytes.js';
import { MAX_ERROR_TEXT, MAX_SESSIONS_PER_FRAME } from './limits.js';
import type { Checkpoint } from './log.js';
import { SESSION_KIND, type SessionKind } from './session.js';

export const SUBPROTOCOL = 'countersign.v1';

export const FRAME = {
  hello: 0x01,
  session: 0x02,
  submit: 0x03,
  ack: 0x04,
  askStill: 0x05,
  ping: 0x06,
  challenge: 0x81,
  opened: 0x82,
  placed: 0x83,
  deliver: 0x84,
  checkpoint: 0x85,
  endOfBacklog: 0x86,
  error: 0x87,
  pong: 0x88,
} as const;

/** The type byte of a frame. Throws `FormatError` on an empty one. */
export function frameType(frame: Uint8Array): number {
  if (frame.length === 0) throw new FormatError('empty frame');
  return frame[0]!;
}

function open(frame: Uint8Array, type: number): Reader {
  if (frameType(frame) !== type) throw new FormatError(`frame type ${frame[0]}, expected ${type}`);
  return new Reader(frame, 1);
}

/** hello := 0x01 ‖ kind 1 ‖ nonce 32 ‖ newest checkpoint known: size 8 ‖ root 32 ‖ signature 64 (zeros if none) */
export interface Hello {
  readonly kind: SessionKind;
  readonly nonce: Uint8Array;
  readonly checkpoint: Checkpoint;
}

export function encodeHello({ kind, nonce, checkpoint }: Hello): Uint8Array {
  return new Writer(138)
    .u8(FRAME.hello)
    .u8(kind)
    .bytes(nonce)
    .u64(checkpoint.size)
    .bytes(checkpoint.root)
    .bytes(checkpoint.signature)
    .done();
}

export function decodeHello(frame: Uint8Array): Hello {
  const reader = open(frame, FRAME.hello);
  const kind = reader.u8() as SessionKind;
  if (kind !== SESSION_KIND.front && kind !== SESSION_KIND.outbox)
    throw new FormatError(`unknown session kind ${kind}`);
  const hello = { kind, nonce: reader.hash(), checkpoint: readCheckpoint(reader) };
  reader.end();
  const { size, root, signature } = hello.checkpoint;
  if (size === 0 && [...root, ...signature].some((byte) => byte !== 0))
    throw new FormatError('no checkpoint is all zeros');
  return hello;
}

function readCheckpoint(reader: Reader): Checkpoint {
  return { size: reader.u64(), root: reader.hash(), signature: reader.bytes(SIGNATURE_BYTES) };
}

/** challenge := 0x81 ‖ server id 32 ‖ challenge 32 ‖ manifest hash 32 */
export interface Challenge {
  readonly serverId: Uint8Array;
  readonly challenge: Uint8Array;
  readonly manifestHash: Uint8Array;
}

export function encodeChallenge({ serverId, challenge, manifestHash }: Challenge): Uint8Array {
  return new Writer(97).u8(FRAME.challenge).bytes(serverId).bytes(challenge).bytes(manifestHash).done();
}

export function decodeChallenge(frame: Uint8Array): Challenge {
  const reader = open(frame, FRAME.challenge);
  const challenge = { serverId: reader.hash(), challenge: reader.hash(), manifestHash: reader.hash() };
  reader.end();
  return challenge;
}

/** session := 0x02 ‖ count 2 ‖ count × (key 32 ‖ acknowledged epoch 8 ‖ signature 64) */
export interface SessionRequest {
  readonly key: Uint8Array;
  /** Epoch of the last link the client has acknowledged; 0 = none. */
  readonly acknowledged: number;
  readonly signature: Uint8Array;
}

export function encodeSession(requests: readonly SessionRequest[]): Uint8Array {
  const out = new Writer(3 + requests.length * 104).u8(FRAME.session).u16(requests.length);
  for (const { key, acknowledged, signature } of requests) out.bytes(key).u64(acknowledged).bytes(signature);
  return out.done();
}

export function decodeSession(frame: Uint8Array): SessionRequest[] {
  const reader = open(frame, FRAME.session);
  const count = reader.u16();
  if (count > MAX_SESSIONS_PER_FRAME)
    throw new FormatError(`${count} sessions, at most ${MAX_SESSIONS_PER_FRAME} in a frame`);
  const requests = Array.from({ length: count }, () => ({
    key: reader.hash(),
    acknowledged: reader.u64(),
    signature: reader.bytes(SIGNATURE_BYTES),
  }));
  reader.end();
  return requests;
}

/**
 * opened := 0x82 ‖ count 2 ‖ count × (error number 2, 0 = opened ‖ last counter 8 ‖ last epoch 8 ‖ total 8 ‖ head 32)
 *
 * Answers a session frame in its order; each mailbox gets the connection's next slot (0, 1, …), also
 * when refused. Epoch, total and head: the chain through what is acknowledged; the seed at first.
 */
export interface OpenedMailbox {
  readonly error: number;
  /** Highest counter taken in from this sender (front); 0 on an outbox. */
  readonly lastCounter: number;
  readonly lastEpoch: number;
  readonly total: number;
  readonly head: Uint8Array;
}

export function encodeOpened(mailboxes: readonly OpenedMailbox[]): Uint8Array {
  const out = new Writer(3 + mailboxes.length * 58).u8(FRAME.opened).u16(mailboxes.length);
  for (const m of mailboxes) out.u16(m.error).u64(m.lastCounter).u64(m.lastEpoch).u64(m.total).bytes(m.head);
  return out.done();
}

export function decodeOpened(frame: Uint8Array): OpenedMailbox[] {
  const reader = open(frame, FRAME.opened);
  const mailboxes = Array.from({ length: reader.u16() }, () => ({
    error: reader.u16(),
    lastCounter: reader.u64(),
    lastEpoch: reader.u64(),
    total: reader.u64(),
    head: reader.hash(),
  }));
  reader.end();
  return mailboxes;
}

/**
 * submit := 0x03 ‖ slot 2 ‖ flags 1 ‖ first counter 8 ‖ count 2 ‖ count × bundle
 *
 * Bundles (bundle.ts) have consecutive counters from the first. flags 0 = unsigned; 1 is kept for a
 * submission signature (64 bytes at the end) and refused until the manifest's policy allows it.
 */
export const SUBMIT_HEADER_BYTES = 14;

export interface SubmitHeader {
  readonly slot: number;
  readonly firstCounter: number;
  readonly count: number;
}

export function encodeSubmit(slot: number, firstCounter: number, bundles: readonly Uint8Array[]): Uint8Array {
  const out = new Writer(SUBMIT_HEADER_BYTES + bundles.reduce((sum, bundle) => sum + bundle.length, 0));
  out.u8(FRAME.submit).u16(slot).u8(0).u64(firstCounter).u16(bundles.length);
  for (const bundle of bundles) out.bytes(bundle);
  return out.done();
}

/** Reads the header; bundles start at `SUBMIT_HEADER_BYTES`. */
export function decodeSubmitHeader(frame: Uint8Array): SubmitHeader {
  const reader = open(frame, FRAME.submit);
  const slot = reader.u16();
  if (reader.u8() !== 0) throw new FormatError('submit flags: signed submissions are not accepted');
  const firstCounter = reader.u64();
  const count = reader.u16();
  if (firstCounter > Number.MAX_SAFE_INTEGER - count)
    throw new FormatError('submit: counters above 2^53 - 1');
  if (firstCounter === 0 || count === 0)
    throw new FormatError('submit: counters start at 1 and a frame has a bundle');
  return { slot, firstCounter, count };
}

/** placed := 0x83 ‖ slot 2 ‖ epoch 8 ‖ inbox 2 ‖ n 2 ‖ n × (counter 8 ‖ index 4). A hint without proof. */
export interface Placed {
  readonly slot: number;
  readonly epoch: number;
  readonly inbox: number;
  readonly messages: readonly { readonly counter: number; readonly index: number }[];
}

export function encodePlaced({ slot, epoch, inbox, messages }: Placed): Uint8Array {
  const out = new Writer(15 + messages.length * 12)
    .u8(FRAME.placed)
    .u16(slot)
    .u64(epoch)
    .u16(inbox)
    .u16(messages.length);
  for (const { counter, index } of messages) out.u64(counter).u32(index);
  return out.done();
}

/** The same frame for runs of consecutive counters at consecutive indices, without an object per message. */
export function encodePlacedRuns(
  slot: number,
  epoch: number,
  inbox: number,
  runs: readonly { readonly firstCounter: number; readonly firstIndex: number; readonly count: number }[],
): Uint8Array {
  const count = runs.reduce((sum, run) => sum + run.count, 0);
  const out = new Writer(15 + count * 12).u8(FRAME.placed).u16(slot).u64(epoch).u16(inbox).u16(count);
  for (const { firstCounter, firstIndex, count } of runs) {
    for (let i = 0; i < count; i++) out.u64(firstCounter + i).u32(firstIndex + i);
  }
  return out.done();
}

export function decodePlaced(frame: Uint8Array): Placed {
  const reader = open(frame, FRAME.placed);
  const head = { slot: reader.u16(), epoch: reader.u64(), inbox: reader.u16() };
  const messages = Array.from({ length: reader.u16() }, () => ({
    counter: reader.u64(),
    index: reader.u32(),
  }));
  reader.end();
  return { ...head, messages };
}

/** ack := 0x04 ‖ count 2 ‖ count × (slot 2 ‖ epoch 8). Cumulative: everything through the link of this epoch. */
export interface Ack {
  readonly slot: number;
  readonly epoch: number;
}

export function encodeAck(acks: readonly Ack[]): Uint8Array {
  const out = new Writer(3 + acks.length * 10).u8(FRAME.ack).u16(acks.length);
  for (const { slot, epoch } of acks) out.u16(slot).u64(epoch);
  return out.done();
}

export function decodeAck(frame: Uint8Array): Ack[] {
  const reader = open(frame, FRAME.ack);
  const acks = Array.from({ length: reader.u16() }, () => ({ slot: reader.u16(), epoch: reader.u64() }));
  reader.end();
  return acks;
}

/** ask still := 0x05 ‖ count 2 ‖ count × slot 2. Answered in the next epoch, by a still or by a link. */
export function encodeAskStill(slots: readonly number[]): Uint8Array {
  const out = new Writer(3 + slots.length * 2).u8(FRAME.askStill).u16(slots.length);
  for (const slot of slots) out.u16(slot);
  return out.done();
}

export function decodeAskStill(frame: Uint8Array): number[] {
  const reader = open(frame, FRAME.askStill);
  const slots = Array.from({ length: reader.u16() }, () => reader.u16());
  reader.end();
  return slots;
}

/** ping := 0x06, answered by pong := 0x88: for clients whose WebSockets cannot ping. */
export const PING = Uint8Array.of(FRAME.ping);
export const PONG = Uint8Array.of(FRAME.pong);

/** Throws `FormatError` on a ping with anything behind its type. */
export function decodePing(frame: Uint8Array): void {
  open(frame, FRAME.ping).end();
}

/**
 * checkpoint := 0x85 ‖ from 8 ‖ to 8 ‖ signature 64 ‖ hashes 1 ‖ hashes × 32
 *
 * Brings a client whose newest checkpoint has size `from` to the one of size `to`: the complete
 * subtrees between them (merkle.ts, gapLevels). The client derives the root.
 */
export interface CheckpointFrame {
  readonly from: number;
  readonly to: number;
  readonly signature: Uint8Array;
  readonly gap: Uint8Array;
}

export function encodeCheckpoint({ from, to, signature, gap }: CheckpointFrame): Uint8Array {
  return new Writer(82 + gap.length)
    .u8(FRAME.checkpoint)
    .u64(from)
    .u64(to)
    .bytes(signature)
    .u8(gap.length / 32)
    .bytes(gap)
    .done();
}

export function decodeCheckpoint(frame: Uint8Array): CheckpointFrame {
  const reader = open(frame, FRAME.checkpoint);
  const checkpoint = {
    from: reader.u64(),
    to: reader.u64(),
    signature: reader.bytes(SIGNATURE_BYTES),
    gap: reader.hashes(reader.u8()),
  };
  reader.end();
  return checkpoint;
}

/** end of backlog := 0x86 ‖ slot 2 ‖ epoch 8: everything through this committed epoch has been sent. */
export interface EndOfBacklog {
  readonly slot: number;
  readonly epoch: number;
}

export function encodeEndOfBacklog({ slot, epoch }: EndOfBacklog): Uint8Array {
  return new Writer(11).u8(FRAME.endOfBacklog).u16(slot).u64(epoch).done();
}

export function decodeEndOfBacklog(frame: Uint8Array): EndOfBacklog {
  const reader = open(frame, FRAME.endOfBacklog);
  const end = { slot: reader.u16(), epoch: reader.u64() };
  reader.end();
  return end;
}

/**
 * error := 0x87 ‖ number 2 ‖ slot 2 (0xffff = none) ‖ first counter 8 ‖ count 2 ‖ expected counter 8 ‖
 *          retry after ms 4 ‖ text length 2 ‖ text (ASCII, at most 512)
 *
 * `number` as in errors.ts. Bundle errors speak of `count` counters from the first.
 */
export interface ErrorFrame {
  readonly number: number;
  readonly slot: number;
  readonly firstCounter: number;
  readonly count: number;
  /** The counter the inbox wants next, with `counter-gap`; else 0. */
  readonly expected: number;
  readonly retryAfterMs: number;
  readonly text: string;
}

export const NO_SLOT = 0xffff;

export function encodeError(error: ErrorFrame): Uint8Array {
  const text = ascii(error.text.slice(0, MAX_ERROR_TEXT).replace(/[^\x20-\x7e]/g, '?'));
  return new Writer(29 + text.length)
    .u8(FRAME.error)
    .u16(error.number)
    .u16(error.slot)
    .u64(error.firstCounter)
    .u16(error.count)
    .u64(error.expected)
    .u32(error.retryAfterMs)
    .u16(text.length)
    .bytes(text)
    .done();
}

export function decodeError(frame: Uint8Array): ErrorFrame {
  const reader = open(frame, FRAME.error);
  const head = {
    number: reader.u16(),
    slot: reader.u16(),
    firstCounter: reader.u64(),
    count: reader.u16(),
    expected: reader.u64(),
    retryAfterMs: reader.u32(),
  };
  const length = reader.u16();
  if (length > MAX_ERROR_TEXT) throw new FormatError('error text too long');
  const text = reader.bytes(length);
  if (text.some((byte) => byte < 0x20 || byte > 0x7e))
    throw new FormatError('error text is not printable ASCII');
  reader.end();
  return { ...head, text: String.fromCharCode(...text) };
}
