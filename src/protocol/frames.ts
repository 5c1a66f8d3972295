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

function encode<T>(type: number, field: Field<T>, value: T): Uint8Array {
  const out = new Writer().u8(type);
  field.write(out, value);
  return out.done();
}

function decodeAs<T>(type: number, field: Field<T>, frame: Uint8Array): T {
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

export const encodeHello = (value: Hello) => encode(FRAME.hello, helloFields, value);
export const decodeHello = (frame: Uint8Array) => decodeAs(FRAME.hello, hello, frame);

// ---- challenge

const challenge = struct({ serverId: hash, challenge: hash, manifestHash: hash });
export type Challenge = ValueOf<typeof challenge>;

export const encodeChallenge = (value: Challenge) => encode(FRAME.challenge, challenge, value);
export const decodeChallenge = (frame: Uint8Array) => decodeAs(FRAME.challenge, challenge, frame);

// ---- session

/** Acknowledged: epoch of the last link the client has acknowledged; 0 = none. */
const sessionRequest = struct({ key: hash, acknowledged: u64, signature });
export type SessionRequest = ValueOf<typeof sessionRequest>;

const session = struct({ mailboxes: list(u16, sessionRequest, MAX_SESSIONS_PER_FRAME) });

export const encodeSession = (mailboxes: readonly SessionRequest[]) =>
  encode(FRAME.session, session, { mailboxes });
export const decodeSession = (frame: Uint8Array) => decodeAs(FRAME.session, session, frame).mailboxes;

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
  encode(FRAME.opened, opened, { mailboxes });
export const decodeOpened = (frame: Uint8Array) => decodeAs(FRAME.opened, opened, frame).mailboxes;

// ---- submit

/** Flags 0 = unsigned; 1 is kept for a submission signature and refused until the manifest's policy allows it. */
const flags = /* @__PURE__ */ checked(u8, (value) => {
  if (value !== 0) throw new FormatError('submit flags: signed submissions are not accepted');
});
/** Bundles follow: bundle-field.ts. */
export const SUBMIT_TO = { slot: u16, flags, firstCounter: u64 };
const submitHeader = /* @__PURE__ */ checked(
  /* @__PURE__ */ struct({ ...SUBMIT_TO, count: u16 }),
  ({ firstCounter, count }) => {
    if (firstCounter > Number.MAX_SAFE_INTEGER - count)
      throw new FormatError('submit: counters above 2^53 - 1');
    if (firstCounter === 0 || count === 0)
      throw new FormatError('submit: counters start at 1 and a frame has a bundle');
  },
);
export type SubmitHeader = ValueOf<typeof submitHeader>;

export const SUBMIT_HEADER_BYTES = 14;

/** Of bundles that are laid out already. */
export function encodeSubmit(slot: number, firstCounter: number, bundles: readonly Uint8Array[]): Uint8Array {
  const out = new Writer(SUBMIT_HEADER_BYTES + bundles.reduce((sum, each) => sum + each.length, 0));
  out.u8(FRAME.submit).u16(slot).u8(0).u64(firstCounter).u16(bundles.length);
  for (const each of bundles) out.bytes(each);
  return out.done();
}

/** Reads the header; bundles start at `SUBMIT_HEADER_BYTES`. */
export const decodeSubmitHeader = (frame: Uint8Array) =>
  decodeAs(FRAME.submit, submitHeader, frame.subarray(0, SUBMIT_HEADER_BYTES));

// ---- placed

/** A hint without proof. */
const placed = struct({
  slot: u16,
  epoch: u64,
  inbox: u16,
  messages: list(u16, struct({ counter: u64, index: u32 })),
});
export type Placed = ValueOf<typeof placed>;

export const encodePlaced = (value: Placed) => encode(FRAME.placed, placed, value);
export const decodePlaced = (frame: Uint8Array) => decodeAs(FRAME.placed, placed, frame);

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

// ---- ack

/** Cumulative: everything through the link of this epoch. */
const ack = struct({ slot: u16, epoch: u64 });
export type Ack = ValueOf<typeof ack>;

const acks = struct({ acks: list(u16, ack) });

export const encodeAck = (value: readonly Ack[]) => encode(FRAME.ack, acks, { acks: value });
export const decodeAck = (frame: Uint8Array) => decodeAs(FRAME.ack, acks, frame).acks;

// ---- ask still

/** Answered in the next epoch, by a still or by a link. */
const askStill = struct({ slots: list(u16, u16) });

export const encodeAskStill = (slots: readonly number[]) => encode(FRAME.askStill, askStill, { slots });
export const decodeAskStill = (frame: Uint8Array) => decodeAs(FRAME.askStill, askStill, frame).slots;

// ---- ping, pong

/** A ping is answered by a pong: for clients whose WebSockets cannot ping. */
const nothing = struct({});

export const PING = encode(FRAME.ping, nothing, {});
export const PONG = encode(FRAME.pong, nothing, {});

/** Throws `FormatError` on a ping with anything behind its type. */
export const decodePing = (frame: Uint8Array) => decodeAs(FRAME.ping, nothing, frame);

// ---- checkpoint

/**
 * Brings a client whose newest checkpoint has size `from` to the one of size `to`: the complete
 * subtrees between them (merkle.ts, gapLevels). The client derives the root.
 */
const checkpointFrame = struct({ from: u64, to: u64, signature, gap: hashes(u8) });
export type CheckpointFrame = ValueOf<typeof checkpointFrame>;

export const encodeCheckpoint = (value: CheckpointFrame) => encode(FRAME.checkpoint, checkpointFrame, value);
export const decodeCheckpoint = (frame: Uint8Array) => decodeAs(FRAME.checkpoint, checkpointFrame, frame);

// ---- end of backlog

/** Everything through this committed epoch has been sent. */
const endOfBacklog = struct({ slot: u16, epoch: u64 });
export type EndOfBacklog = ValueOf<typeof endOfBacklog>;

export const encodeEndOfBacklog = (value: EndOfBacklog) => encode(FRAME.endOfBacklog, endOfBacklog, value);
export const decodeEndOfBacklog = (frame: Uint8Array) => decodeAs(FRAME.endOfBacklog, endOfBacklog, frame);

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
  return encode(FRAME.error, error, { ...NO_DETAILS, ...given, text: printable });
}
export const decodeError = (frame: Uint8Array) => decodeAs(FRAME.error, error, frame);

/** The fields of every control frame but submit, behind its type. */
export const CONTROL_FRAMES = {
  hello,
  session,
  ack: acks,
  askStill,
  ping: nothing,
  challenge,
  opened,
  placed,
  checkpoint: checkpointFrame,
  endOfBacklog,
  pong: nothing,
  error,
} as const;
