/**
 * What proves the submissions of an inbox's rows, as it is kept with its epoch: with the rows and the runs of senders
 * it gives the signed bytes back.
 *
 *   submissions × (first row 4 ‖ rows 2 ‖ known 2 ‖ signature 64 ‖ known × message hash 32)
 *
 * Rows are those that a frame brought, consecutive; known are the messages before them in the frame that had been taken
 * in already, and have rows elsewhere.
 */
import { SUBMISSIONS_PER_PART } from '../protocol/audit/part-bounds.js';
import {
  FormatError,
  getU16,
  getU32,
  HASH_BYTES,
  putU16,
  putU32,
  SIGNATURE_BYTES,
} from '../protocol/index.js';

export interface SubmissionProof {
  readonly firstRow: number;
  readonly rows: number;
  readonly signature: Uint8Array;
  /** Message hashes of the frame before that of the first row, packed. */
  readonly known: Uint8Array;
}

const HEAD_BYTES = 8;
const PROOF_BYTES = HEAD_BYTES + SIGNATURE_BYTES;

export function packSubmissions(proofs: readonly SubmissionProof[]): Uint8Array {
  const out = new Uint8Array(proofs.reduce((sum, { known }) => sum + PROOF_BYTES + known.length, 0));
  let at = 0;
  for (const { firstRow, rows, signature, known } of proofs) {
    putU32(out, at, firstRow);
    putU16(out, at + 4, rows);
    putU16(out, at + 6, known.length / HASH_BYTES);
    out.set(signature, at + HEAD_BYTES);
    out.set(known, at + PROOF_BYTES);
    at += PROOF_BYTES + known.length;
  }
  return out;
}

/** Whole ones, some at a time, for an audit. Throws `FormatError` on bytes that are not so many. */
export function* submissionParts(packed: Uint8Array): Generator<Uint8Array> {
  for (let from = 0, at = 0; at < packed.length; ) {
    const rest = packed.length - at;
    at += PROOF_BYTES + (rest < PROOF_BYTES ? 0 : getU16(packed, at + 6) * HASH_BYTES);
    if (at > packed.length) throw new FormatError(`${packed.length} bytes of submissions`);
    if (at - from < SUBMISSIONS_PER_PART && at < packed.length) continue;
    yield packed.subarray(from, at);
    from = at;
  }
}

/** What proves the submission of a row; null where it is unsigned. */
export function findSubmission(packed: Uint8Array, row: number): SubmissionProof | null {
  for (let at = 0; at < packed.length; ) {
    const [firstRow, rows, known] = [getU32(packed, at), getU16(packed, at + 4), getU16(packed, at + 6)];
    const end = at + PROOF_BYTES + known * HASH_BYTES;
    if (row >= firstRow && row < firstRow + rows) {
      const signature = packed.slice(at + HEAD_BYTES, at + PROOF_BYTES);
      return { firstRow, rows, signature, known: packed.slice(at + PROOF_BYTES, end) };
    }
    at = end;
  }
  return null;
}
