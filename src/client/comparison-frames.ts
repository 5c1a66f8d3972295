/**
 * What two clients say to each other to find out in what they differ. Both say the same kind of thing in turn, and nobody
 * asks: so each needs only to know what comes next.
 *
 *   frame  csign1vx ‖ kind 1 ‖ the fields below
 */

import { blob } from '../protocol/blob.js';
import { recipientFields } from '../protocol/evidence/message.js';
import { expectBytes } from '../protocol/expect-bytes.js';
import {
  checked,
  fixed,
  hash,
  hashes,
  list,
  struct,
  tagged,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
} from '../protocol/fields.js';
import { ascii, FormatError, HASH_BYTES, Reader, Writer } from '../protocol/index.js';
import { MAX_PROOF_HASHES } from '../protocol/notes/index.js';
import { ComparisonError } from './comparison-error.js';
import { HEAD_BYTES } from './heads.js';

const TAG = ascii('csign1vx');
/** As many as an epoch may have. */
const MOST_ITEMS = 65_536;
const MOST_CLAIMS = 2;
const MOST_RANGES = 4;

export const SAY = { hello: 1, digest: 2, items: 3, claims: 4, log: 5, head: 6, proof: 7, nonce: 8 } as const;
export type Kind = (typeof SAY)[keyof typeof SAY];

/** Bytes of a frame: more is refused unread (comparison-line.ts). */
export const MOST_BYTES: Readonly<Record<Kind, number>> = {
  [SAY.hello]: 256,
  [SAY.digest]: 256,
  [SAY.items]: 16 + MOST_ITEMS * 38,
  [SAY.claims]: 1 << 20,
  [SAY.log]: 16_384,
  [SAY.head]: 256,
  [SAY.proof]: 4096,
  [SAY.nonce]: 64,
};

const item = struct({ inbox: u16, index: u32, messageHash: hash });
const shown = struct({ message: blob(1024), recipients: list(u8, struct(recipientFields), 1) });
const range = struct({ from: u64, to: u64, hashes: hashes(u8) });

const proofHashes = checked(hashes(u8), (packed) => {
  if (packed.length > MAX_PROOF_HASHES * HASH_BYTES) throw new FormatError('a proof of more hashes');
});

// Named otherwise than in the client, whose short name the text here would not have in browsers.
const fields = tagged({}, 'says', {
  /** Digests are known from epoch `base` on, behind epoch `from`. */
  [SAY.hello]: { serverId: hash, sender: hash, scope: u8, from: u64, base: u64, asOf: u64 },
  [SAY.digest]: { epoch: u64, digest: hash },
  [SAY.items]: { items: list(u32, item, MOST_ITEMS) },
  /** Of the mailbox's own leaves; and the message, where it is there. */
  [SAY.claims]: { claims: list(u8, blob(1 << 19), MOST_CLAIMS), shown: list(u8, shown, 1) },
  [SAY.log]: { ranges: list(u8, range, MOST_RANGES) },
  /** The newest checkpoint; and the consistency proof between the two of them, or nothing, and of one leaf more. */
  [SAY.head]: { head: fixed(HEAD_BYTES) },
  [SAY.proof]: { proof: proofHashes, beside: proofHashes },
  [SAY.nonce]: { nonce: hash },
});
export type Frame = ValueOf<typeof fields>;
export type FrameOf<K extends Kind> = Extract<Frame, { says: K }>;
export type Hello = FrameOf<typeof SAY.hello>;
/** A message, opened, and that the other one is a recipient; nothing of that where it is the sender. */
export type Shown = ValueOf<typeof shown>;

export function encodeFrame(frame: Frame): Uint8Array {
  const out = new Writer(256).bytes(TAG);
  fields.write(out, frame);
  return out.done();
}

/** Throws `ComparisonError` on any other bytes than one frame of this kind. */
export function decodeFrame<K extends Kind>(kind: K, bytes: Uint8Array): FrameOf<K> {
  try {
    const from = new Reader(bytes);
    expectBytes(from, TAG, 'tag of a comparison');
    const frame = fields.read(from);
    from.end();
    if (frame.says !== kind) throw new FormatError(`kind ${kind} expected`);
    return frame as FrameOf<K>;
  } catch (error) {
    if (error instanceof FormatError) throw new ComparisonError('malformed', error.message, { cause: error });
    throw error;
  }
}
