/** Who has submitted the message of an inbox's row, as its submission shows; or the evidence that the row is false. */
import { equalBytes, FormatError, HASH_BYTES, sameBytes } from '../bytes.js';
import { decodeClaim } from '../claim.js';
import { PAGE_ENTRIES } from '../limits.js';
import type { SignedManifest } from '../manifest-chain.js';
import { UNSIGNED } from '../pages.js';
import { decodeSubmission, type ShownSubmission } from '../submission.js';
import { accuse } from './accuse.js';
import { must } from './court.js';
import { readInboxPage } from './leaves.js';
import { openMessage } from './message.js';
import { checkHash, isSigned, pageOf, readSubmission, type Submitted } from './rules-inbox.js';

/** Whose signature, and which of its counters the message has. */
export interface Submitter {
  readonly sender: Uint8Array;
  readonly counter: number;
}

/**
 * `claim`: one on an inbox's page, which verifies; `index`: of the row; `shown`: the submission that the server has shown; null
 * where it has shown none; `message`: the preimage of the row's message hash, where it is known; `manifests`: all versions. Null: the row says that the
 * message is unsigned, and the manifest lets that be. Bytes: evidence against the inbox. Throws `FormatError` where what is
 * shown is not what the row names, or does not show the message: then nothing is proven, and nothing shown.
 */
export function submittedBy(
  claim: Uint8Array,
  index: number,
  shown: Uint8Array | null,
  message: Uint8Array | null,
  manifests: readonly SignedManifest[],
  serverId: Uint8Array,
  rootKey: Uint8Array,
): Submitter | Uint8Array | null {
  const claims = [decodeClaim(claim)];
  const row = readInboxPage(claims[0]!.leaf)[index % PAGE_ENTRIES];
  must(row !== undefined, 'no such row');
  const opened = message && openMessage(message, serverId);
  must(!opened || equalBytes(opened.hash, row.messageHash), 'another message than the row names');
  const messages = message ? [message] : [];
  const accused = (submissions: readonly ShownSubmission[]) =>
    accuse({ manifests, claims, messages, submissions }, serverId, rootKey)?.evidence;
  if (equalBytes(row.submissionHash, UNSIGNED)) {
    const evidence = accused([]);
    must(evidence !== undefined || !shown, 'a submission that no row names');
    return evidence ?? null;
  }
  must(shown !== null, 'no submission is shown');
  const submission = decodeSubmission(shown);
  checkHash(row, submission);
  const evidence = accused([submission]);
  if (evidence) return evidence;
  const submitted = readSubmission(submission.signed);
  must(equalBytes(submitted.serverId, serverId), 'a submission to another server');
  must(isSigned(submitted.sender, submission), 'the signature of a submission');
  const counter = counterOf(submitted, row.messageHash, submission);
  const isOf = !opened || (equalBytes(opened.sender, submitted.sender) && opened.counter === counter);
  must(isOf, 'the submission of another sender, or at another counter');
  return { sender: submitted.sender, counter };
}

/** Which counter the submission gives the message, by the page that is shown. */
function counterOf(submitted: Submitted, messageHash: Uint8Array, submission: ShownSubmission): number {
  const pages = Math.ceil(submitted.count / PAGE_ENTRIES);
  for (let page = 0; page < pages; page++) {
    const hashes = pageOrNull(submitted, page, submission);
    for (let at = 0; hashes && at < hashes.length; at += HASH_BYTES)
      if (sameBytes(hashes, at, messageHash, 0, HASH_BYTES))
        return submitted.firstCounter + page * PAGE_ENTRIES + at / HASH_BYTES;
  }
  throw new FormatError('the page does not show the message');
}

function pageOrNull(submitted: Submitted, page: number, submission: ShownSubmission): Uint8Array | null {
  try {
    return pageOf(submitted, page, submission);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
