/** A deviation before its evidence is looked for. */
import type { CaseFile } from '../evidence/accuse.js';
import type { Finding } from './findings.js';
import type { Prover } from './prover.js';

export type Case = Omit<CaseFile, 'manifests'>;

export interface Draft extends Pick<Finding, 'kind' | 'epoch' | 'text'> {
  /** Deviations of one kind, epoch and actor are told as one. */
  readonly who: string;
  /** What is known of the case; null where no signed statement can show it. */
  readonly proof: ((prover: Prover) => Promise<Case>) | null;
}
