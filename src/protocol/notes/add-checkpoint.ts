/**
 * What a log asks a witness, and what it is answered (C2SP tlog-witness, add-checkpoint).
 *
 *   request   `old ` ‖ size in decimal LF ‖ (base64(hash 32) LF) × up to 63 ‖ LF ‖ checkpoint note
 *   200       signature lines, one or more
 *   409       the size that the witness knows, in decimal, LF; Content-Type text/x.tlog.size
 *
 * The proof leads from the checkpoint that the witness knows to this one (RFC 6962 §2.1.2). The other answers are 400
 * malformed or old size above the checkpoint's, 403 not signed by the log, 404 no log that it knows, 422 not consistent.
 */
import { concat, FormatError, HASH_BYTES } from '../bytes.js';
import { toBase64 } from '../log.js';
import { type CheckpointNote, decodeCheckpointNote, decodeSize } from './checkpoint-note.js';
import { decodeText, fromBase64, utf8 } from './signed-note.js';

export const SIZE_TYPE = 'text/x.tlog.size';
/** The most hashes of a consistency proof. */
export const MAX_PROOF_HASHES = 63;

export interface AddCheckpoint {
  /** Of the newest checkpoint that the witness cosigned; 0 = none. */
  readonly oldSize: number;
  /** n × 32. */
  readonly proof: Uint8Array;
  readonly checkpoint: CheckpointNote;
}

/** `proof` is packed; `note` is a whole checkpoint note. */
export function encodeAddCheckpoint(oldSize: number, proof: Uint8Array, note: string): string {
  return `old ${oldSize}\n${encodeProof(proof)}\n${note}`;
}

/** Throws `FormatError`. Nothing is verified. */
export function decodeAddCheckpoint(bytes: Uint8Array): AddCheckpoint {
  const text = decodeText(bytes);
  // The first empty line: none of the lines before is empty, and the note has at least one more.
  const end = text.indexOf('\n\n');
  if (end < 0) throw new FormatError('add-checkpoint: no empty line');
  const [first, ...hashes] = text.slice(0, end).split('\n');
  const old = /^old (.*)$/.exec(first!)?.[1];
  if (old === undefined) throw new FormatError('add-checkpoint: expected old and a size');
  return {
    oldSize: decodeSize(old),
    proof: packed(hashes),
    checkpoint: decodeCheckpointNote(utf8(text.slice(end + 2))),
  };
}

/** A line for each hash of a packed proof. */
export function encodeProof(proof: Uint8Array): string {
  let text = '';
  for (let at = 0; at < proof.length; at += HASH_BYTES)
    text += `${toBase64(proof.subarray(at, at + HASH_BYTES))}\n`;
  return text;
}

/** What `encodeProof` gave. Throws `FormatError`. */
export function decodeProof(bytes: Uint8Array): Uint8Array {
  const lines = decodeText(bytes).split('\n');
  if (lines.pop() !== '') throw new FormatError('proof: expected lines');
  return packed(lines);
}

function packed(lines: readonly string[]): Uint8Array {
  if (lines.length > MAX_PROOF_HASHES) throw new FormatError(`proof: more than ${MAX_PROOF_HASHES} hashes`);
  const hashes = lines.map(fromBase64);
  if (hashes.some(({ length }) => length !== HASH_BYTES)) throw new FormatError('proof: a hash is 32 bytes');
  return concat(...hashes);
}

/** The size in the answer 409. Throws `FormatError`. */
export function decodeConflict(bytes: Uint8Array): number {
  const text = decodeText(bytes);
  if (!text.endsWith('\n')) throw new FormatError('conflict: expected a size and a line feed');
  return decodeSize(text.slice(0, -1));
}
