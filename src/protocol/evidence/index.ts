/** Verdicts, and what openings show, for Node and browsers alike: `countersign/verdict`. */
export { verifyOpening } from '../opened-item.js';
export { type Accusation, accuse, type CaseFile } from './accuse.js';
export {
  accuseAgain,
  accuseOfChain,
  accuseOfHeads,
  accuseOfPlace,
  type Dispute,
  type DisputedPlace,
  disputedPlace,
} from './dispute.js';
export {
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  evidenceToJson,
  MAX_EVIDENCE,
  RULE,
  type Rule,
} from './evidence.js';
export { goesOn } from './goes-on.js';
export type { Suspect } from './guilt.js';
export { accuseOfSkip, placeBefore, type SkippedCounter, skippedCounter } from './skipped.js';
export { type Submitter, submittedBy } from './submitted.js';
export { accuseOperator } from './two-manifests.js';
export { type Verdict, verdict } from './verdict.js';
