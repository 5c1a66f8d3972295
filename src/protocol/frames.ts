/**
 * Control frames: everything on a socket but deliveries (delivery.ts). A frame is one WebSocket message:
 * in binary a type byte and then the fields of its definition below, in that order; in JSON (json.ts) an
 * object of the same fields and a `type`.
 *
 * Decoders are strict: one value, one encoding; trailing bytes are a `FormatError`.
 */
import { FormatError, Writer, ZERO_HASH } from './bytes.js';
import {
  checked,
  decode,
  type Field,
  hash,
  hashes,
  list,
  signature,
  struct,
  text,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
} from './fields.js';
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
  open: 0x07,
  challenge: 0x81,
  opened: 0x82,
  placed: 0x83,
  deliver: 0x84,
  checkpoint: 0x85,
  endOfBacklog: 0x86,
  error: 0x87,
  pong: 0x88,
  opening: 0x89,
} as const;

/** The type byte of a frame. Throws `FormatError` on an empty one. */
export function frameType(frame: Uint8Array): number {
  if (frame.length === 0) throw new FormatError('empty frame');
  return frame[0]!;
}

export function encodeFrame<T>(type: number, field: Field<T>, value: T): Uint8Array {
  const out = new Writer().u8(type);
  field.write(out, value);
  return out.done();
}

export function decodeFrame<T>(type: number, field: Field<T>, frame: Uint8Array): T {
  if (frameType(frame) !== type) throw new FormatError(`frame type ${frame[0]}, expected ${type}`);
  return decode(field, frame, 1);
}

// ---- hello

/** The newest checkpoint known; all zeros if none. */
const checkpoint: Field<Checkpoint> = struct({ size: u64, root: hash, signature });

const helloFields = struct({ kind: u8 as Field<SessionKind>, nonce: hash, checkpoint });
const hello = /* @__PURE__ */ checked(helloFields, ({ kind, checkpoint: { size, root, signature } }) => {
  if (kind !== SESSION_KIND.front && kind !== SESSION_KIND.outbox)
    throw new FormatError(`unknown session kind ${kind}`);
  if (size === 0 && [...root, ...signature].some((byte) => byte !== 0))
    throw new FormatError('no checkpoint is all zeros');
});
export type Hello = ValueOf<typeof hello>;

export const encodeHello = (value: Hello) => encodeFrame(FRAME.hello, helloFields, value);
export const decodeHello = (frame: Uint8Array) => decodeFrame(FRAME.hello, hello, frame);

// ---- challenge

const challenge = struct({ serverId: hash, challenge: hash, manifestHash: hash });
export type Challenge = ValueOf<typeof challenge>;

export const encodeChallenge = (value: Challenge) => encodeFrame(FRAME.challenge, challenge, value);
export const decodeChallenge = (frame: Uint8Array) => decodeFrame(FRAME.challenge, challenge, frame);

// ---- session

/** Acknowledged: epoch of the last link the client has acknowledged; 0 = none. */
const sessionRequest = struct({ key: hash, acknowledged: u64, signature });
export type SessionRequest = ValueOf<typeof sessionRequest>;

const session = struct({ mailboxes: list(u16, sessionRequest, MAX_SESSIONS_PER_FRAME) });

export const encodeSession = (mailboxes: readonly SessionRequest[]) =>
  encodeFrame(FRAME.session, session, { mailboxes });
export const decodeSession = (frame: Uint8Array) => decodeFrame(FRAME.session, session, frame).mailboxes;

// ---- opened

/**
 * Error number, 0 = opened. Last counter: the highest taken in from this sender (front); 0 on an outbox.
 * Epoch, total and head: the chain through what is acknowledged; the seed at first.
 */
const openedMailbox = struct({ error: u16, lastCounter: u64, lastEpoch: u64, total: u64, head: hash });
export type OpenedMailbox = ValueOf<typeof openedMailbox>;

/**
 * Answers a session frame in its order; each mailbox gets the connection's next slot (0, 1, …), also
 * when refused.
 */
const opened = struct({ mailboxes: list(u16, openedMailbox) });

export const encodeOpened = (mailboxes: readonly OpenedMailbox[]) =>
  encodeFrame(FRAME.opened, opened, { mailboxes });
export const decodeOpened = (frame: Uint8Array) => decodeFrame(FRAME.opened, opened, frame).mailboxes;

// ---- submit: bundle-field.ts and bundle-encode.ts; placed: placed.ts

// ---- ack

/** Cumulative: everything through the link of this epoch. */
const ack = struct({ slot: u16, epoch: u64 });
export type Ack = ValueOf<typeof ack>;

const acks = struct({ acks: list(u16, ack) });

export const encodeAck = (value: readonly Ack[]) => encodeFrame(FRAME.ack, acks, { acks: value });
export const decodeAck = (frame: Uint8Array) => decodeFrame(FRAME.ack, acks, frame).acks;

// ---- ask still

/** Answered in the next epoch, by a still or by a link. */
const askStill = struct({ slots: list(u16, u16) });

export const encodeAskStill = (slots: readonly number[]) => encodeFrame(FRAME.askStill, askStill, { slots });
export const decodeAskStill = (frame: Uint8Array) => decodeFrame(FRAME.askStill, askStill, frame).slots;

// ---- ping, pong

/** A ping is answered by a pong: for clients whose WebSockets cannot ping. */
const nothing = /* @__PURE__ */ struct({});

export const PING = Uint8Array.of(FRAME.ping);
export const PONG = /* @__PURE__ */ Uint8Array.of(FRAME.pong);

/** Throws `FormatError` on a ping with anything behind its type. */
export const decodePing = (frame: Uint8Array) => decodeFrame(FRAME.ping, nothing, frame);

// ---- checkpoint

/**
 * Brings a client whose newest checkpoint has size `from` to the one of size `to`: the complete
 * subtrees between them (merkle.ts, gapLevels). The client derives the root.
 */
const checkpointFrame = struct({ from: u64, to: u64, signature, gap: hashes(u8) });
export type CheckpointFrame = ValueOf<typeof checkpointFrame>;

export const encodeCheckpoint = (value: CheckpointFrame) =>
  encodeFrame(FRAME.checkpoint, checkpointFrame, value);
export const decodeCheckpoint = (frame: Uint8Array) => decodeFrame(FRAME.checkpoint, checkpointFrame, frame);

// ---- end of backlog

/** Everything through this committed epoch has been sent. */
const endOfBacklog = struct({ slot: u16, epoch: u64 });
export type EndOfBacklog = ValueOf<typeof endOfBacklog>;

export const encodeEndOfBacklog = (value: EndOfBacklog) =>
  encodeFrame(FRAME.endOfBacklog, endOfBacklog, value);
export const decodeEndOfBacklog = (frame: Uint8Array) => decodeFrame(FRAME.endOfBacklog, endOfBacklog, frame);

// ---- error

export const NO_SLOT = 0xffff;

/**
 * `number` as in errors.ts. Bundle errors speak of `count` counters from the first. Expected: the counter
 * the inbox wants next, with `counter-gap`. Mailbox: the one that a refusal is about. Else zeros.
 */
const error = struct({
  number: u16,
  slot: u16,
  firstCounter: u64,
  count: u16,
  expected: u64,
  retryAfterMs: u32,
  mailbox: hash,
  text: text(MAX_ERROR_TEXT),
});
export type ErrorFrame = ValueOf<typeof error>;

const NO_DETAILS = {
  slot: NO_SLOT,
  firstCounter: 0,
  count: 0,
  expected: 0,
  retryAfterMs: 0,
  mailbox: ZERO_HASH,
};

/** What is left out is as when it does not apply. */
export function encodeError(given: Pick<ErrorFrame, 'number' | 'text'> & Partial<ErrorFrame>): Uint8Array {
  const printable = given.text.slice(0, MAX_ERROR_TEXT).replace(/[^\x20-\x7e]/g, '?');
  return encodeFrame(FRAME.error, error, { ...NO_DETAILS, ...given, text: printable });
}
export const decodeError = (frame: Uint8Array) => decodeFrame(FRAME.error, error, frame);

/** The fields of the frames defined here, behind their type. */
export const CONTROL_FRAMES = {
  hello,
  session,
  ack: acks,
  askStill,
  ping: nothing,
  challenge,
  opened,
  checkpoint: checkpointFrame,
  endOfBacklog,
  pong: nothing,
  error,
} as const;
