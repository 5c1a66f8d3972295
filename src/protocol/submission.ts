/**
 * A submission as others are shown it: what the sender has signed, and for one of its messages the page that holds the
 * message's hash.
 *
 *   submission := signed bytes: length 4 ‖ bytes · signature 64 · page: length 4 ‖ preimage · path of the page
 */

import { blob } from './blob.js';
import { concat, HASH_BYTES, Reader, Writer } from './bytes.js';
import { type Struct, signature, struct } from './fields.js';
import { PAGE_ENTRIES } from './limits.js';
import { buildTree, multiproof } from './merkle-tree.js';
import { SUBMISSION_PREFIX, submissionBytes, submissionPages } from './pages.js';
import { path } from './statement.js';

const MAX_SIGNED = 256;
const MAX_PAGE = 4096;

export const submissionFields = { signed: blob(MAX_SIGNED), signature, page: blob(MAX_PAGE), pagePath: path };
const submission = struct(submissionFields);
export type ShownSubmission = Struct<typeof submissionFields>;

/** Throws `FormatError`. */
export function decodeSubmission(bytes: Uint8Array): ShownSubmission {
  const from = new Reader(bytes);
  const value = submission.read(from);
  from.end();
  return value;
}

export interface Submission {
  readonly serverId: Uint8Array;
  readonly sender: Uint8Array;
  readonly firstCounter: number;
  /** Of all messages of the frame, packed. */
  readonly messageHashes: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** With the page of message `position`, counted from 0. */
export function showSubmission(
  { serverId, sender, firstCounter, messageHashes, signature }: Submission,
  position: number,
): ShownSubmission {
  const page = Math.floor(position / PAGE_ENTRIES);
  const from = page * PAGE_ENTRIES * HASH_BYTES;
  return {
    signed: submissionBytes(serverId, sender, firstCounter, messageHashes),
    signature,
    page: concat(SUBMISSION_PREFIX, messageHashes.subarray(from, from + PAGE_ENTRIES * HASH_BYTES)),
    pagePath: multiproof(buildTree(submissionPages(messageHashes)), [page]),
  };
}

/** In binary. */
export function encodeSubmission(of: Submission, position: number): Uint8Array {
  const out = new Writer(MAX_PAGE);
  submission.write(out, showSubmission(of, position));
  return out.done();
}
