/** Evidence of what clients hold, judged at once. */
import type { Dispute, Verdict } from '../protocol/evidence/index.js';
import { ComparisonError } from './comparison-error.js';
import { isBridged } from './dispute.js';
import { judging } from './judging.js';

/** Evidence in its one binary form, and what it proves to anybody. */
export interface Accusation {
  readonly evidence: Uint8Array;
  readonly verdict: Verdict;
}

/** Evidence of what the two have shown. Rejects with `ComparisonError` where that proves nothing. */
export async function accuseIn(dispute: Dispute): Promise<Accusation> {
  const { accuseOfPlace } = await judging.get();
  const isJoined = isBridged(dispute);
  let accusation: Accusation | null;
  try {
    accusation = accuseOfPlace(dispute);
  } catch (cause) {
    throw new ComparisonError('malformed', String(cause), { cause });
  }
  if (accusation) return accusation;
  throw isJoined
    ? new ComparisonError('nothing-proven', 'what the two have shown proves nothing against the server')
    : new ComparisonError('not-bridged', 'the claims of the two are not shown to be of one log');
}
