/**
 * A framed body: what an application encrypts when the library frames its bodies. It has a roster, where the message goes to
 * several and rosters count, blocks for some of those it goes to, and the application's own bytes.
 */
import { sha256 } from '#crypto';
import { ENVELOPE_TAG } from '../protocol/bundle-layout.js';
import { expectBytes } from '../protocol/expect-bytes.js';
import { bytes, fixed, hash, list, struct, u8, u16, type ValueOf } from '../protocol/fields.js';
import { ascii, concat, FormatError, Reader, Writer, ZERO_HASH } from '../protocol/index.js';
import { ComparisonError } from './comparison-error.js';
import type { Id } from './outgoing-bundle.js';

const TAG = ascii('csign1vf');
const BLOCK_BYTES = 97;
/** A message to many does not grow with them: the next one has blocks for others. */
export const MOST_BLOCKS = 8;

/** A body to be framed, before it is encrypted. */
export interface ToFrame {
  /** As `send` is given them. */
  readonly to: Id | readonly Id[];
  readonly body: Uint8Array | string;
  readonly envelopes?: readonly (Uint8Array | undefined)[];
}

/** What `send` is to be given: the body encrypted. */
export interface Framed {
  readonly body: Uint8Array;
  /** Where there is a roster. */
  readonly rosterKey?: Uint8Array;
}

const roster = struct({
  rosterKey: hash,
  members: list(u16, struct({ mailbox: hash, envelopeHash: hash })),
});

const frame = struct({
  roster: list(u8, roster, 1),
  blocks: list(u8, struct({ peer: hash, block: fixed(BLOCK_BYTES) }), MOST_BLOCKS),
  body: bytes,
});
export type FramedBody = ValueOf<typeof frame>;

export function encodeFramed(value: FramedBody): Uint8Array {
  const out = new Writer(1024).bytes(TAG);
  frame.write(out, value);
  return out.done().slice();
}

/** Throws `ComparisonError` (`malformed`) on bytes that `encodeFramed` does not give. */
export function decodeFramed(framed: Uint8Array): FramedBody {
  try {
    const from = new Reader(framed);
    expectBytes(from, TAG, 'frame tag');
    const value = frame.read(from);
    from.end();
    return value;
  } catch (error) {
    if (error instanceof FormatError) throw new ComparisonError('malformed', error.message, { cause: error });
    throw error;
  }
}

/** The roster's members; `envelopes` in their order. */
export function membersOf(
  mailboxes: readonly Uint8Array[],
  envelopes: ToFrame['envelopes'] = [],
): { readonly mailbox: Uint8Array; readonly envelopeHash: Uint8Array }[] {
  return mailboxes.map((mailbox, i) => {
    const envelope = envelopes[i];
    // As it is in a recipient's leaf.
    const isEmpty = !envelope || envelope.length === 0;
    return { mailbox, envelopeHash: isEmpty ? ZERO_HASH : sha256(concat(ENVELOPE_TAG, envelope)) };
  });
}
