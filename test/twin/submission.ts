/** What a sender signs once per submit frame. */
import { ascii, fixed, H, join, partsOf, u8, u16, u64, ZERO_32 } from './bytes.js';
import { root } from './merkle.js';

export interface Submission {
  serverId: Buffer;
  sender: Buffer;
  firstCounter: bigint;
  messageHashes: Buffer[];
}

/** submission page = 0x00 ‖ `csign1sl` ‖ up to 64 message hashes */
export function submissionPage(messageHashes: Buffer[]): Buffer {
  return join(u8(0x00), ascii('csign1sl'), ...messageHashes.map((hash) => fixed(32, hash)));
}

/**
 * signed = `countersign/v1 submission` ‖ server id 32 ‖ sender 32 ‖ first counter 8 ‖ count 2
 *          ‖ root over pages of up to 64 message hashes
 */
export function submissionSigned(submission: Submission): Buffer {
  const pages = partsOf(64, submission.messageHashes).map(submissionPage);
  return join(
    ascii('countersign/v1 submission'),
    fixed(32, submission.serverId),
    fixed(32, submission.sender),
    u64(submission.firstCounter),
    u16(submission.messageHashes.length),
    root(pages.map((page) => H(page))),
  );
}

/** submission hash = H(`csign1su` ‖ signed bytes ‖ signature 64) */
export function submissionHash(signed: Uint8Array, signature: Uint8Array): Buffer {
  return H(ascii('csign1su'), signed, fixed(64, signature));
}

/** Stands where a submission hash would when the sender signed nothing. */
export const UNSIGNED: Buffer = ZERO_32;
