/** The frames open and opening: what a stage has signed of a message, for its parties. */

import { ROLE } from './attestation.js';
import { blob } from './blob.js';
import { FormatError } from './bytes.js';
import { checked, type Field, hash, list, struct, u8, u16, u32, u64, type ValueOf } from './fields.js';
import { decodeFrame, encodeFrame, FRAME } from './frames.js';

/** Bounds an answer to a little more than 1 MiB; what is sent is smaller, as attestations are. */
const MAX_CLAIMS = 2;
const MAX_CLAIM_BYTES = 1 << 19;
const MAX_SUBMISSION_BYTES = 1 << 14;

export const HANDED_SENDER = 6;
export const HANDED_MAILBOX = 7;

/**
 * What can be opened. Beside roles that attest: what was handed over of a sender or a mailbox to the version of the manifest that
 * is in force from the epoch; no place then.
 */
export const STAGE = {
  inbox: ROLE.inbox,
  router: ROLE.router,
  receiver: ROLE.receiver,
  outbox: ROLE.outbox,
  'sender-hand-over': HANDED_SENDER,
  'mailbox-hand-over': HANDED_MAILBOX,
} as const;
const STAGES = Object.values(STAGE);
export type StageName = keyof typeof STAGE;
export type Stage = (typeof STAGE)[StageName];
export const isHandOver = (stage: Stage): stage is 6 | 7 => stage >= HANDED_SENDER;

/** An item at a stage: of that mailbox (at the inbox there are none: zeros), at that place. */
const openFields = struct({
  slot: u16,
  request: u32,
  stage: u8 as Field<Stage>,
  epoch: u64,
  inbox: u16,
  index: u32,
  mailbox: hash,
});
export const openFrame = /* @__PURE__ */ checked(openFields, ({ stage, mailbox, inbox, index }) => {
  if (!STAGES.includes(stage)) throw new FormatError(`stage: ${stage} is not known`);
  if ((stage === ROLE.inbox) !== mailbox.every((byte) => byte === 0))
    throw new FormatError('mailbox: zeros at the inbox, and only there');
  if (isHandOver(stage) && inbox + index > 0) throw new FormatError('index: a hand-over has no place');
});
export type Open = ValueOf<typeof openFrame>;
export type OpenedItem = Omit<Open, 'slot' | 'request'>;

export const encodeOpen = (value: Open) => encodeFrame(FRAME.open, openFields, value);
export const decodeOpen = (frame: Uint8Array) => decodeFrame(FRAME.open, openFrame, frame);

/**
 * Error number, 0 = opened: then one claim or two, else none. At the inbox with the submission (submission.ts) that the row
 * names, if it names one.
 */
export const openingFrame = struct({
  request: u32,
  error: u16,
  retryAfterMs: u32,
  claims: list(u8, blob(MAX_CLAIM_BYTES), MAX_CLAIMS),
  submissions: list(u8, blob(MAX_SUBMISSION_BYTES), 1),
});
export type Opening = ValueOf<typeof openingFrame>;

export const encodeOpening = (value: Opening) => encodeFrame(FRAME.opening, openingFrame, value);
export const decodeOpening = (frame: Uint8Array) => decodeFrame(FRAME.opening, openingFrame, frame);
