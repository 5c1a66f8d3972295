/** What an audit finds: deviations, each in plain words, and the evidence where signed statements prove who is guilty. */
import { toHex } from '../bytes.js';
import type { Verdict } from '../evidence/verdict.js';

/** More are not told: who finds so many has no need of them. */
export const MOST_FINDINGS = 1000;

/** What deviates. Names are stable. */
export type Kind =
  /** A leaf of the log that no honest sequencer logs, or is not under what was signed. */
  | 'log'
  /** A signed checkpoint that this log does not bear out. */
  | 'checkpoint'
  /** Something that has to be kept and is not, or cannot be read. */
  | 'missing'
  /** An attestation: its signature, what it is about, what it was made of, its numbers. */
  | 'attestation'
  /** What is kept of a stage is not what it signed. */
  | 'output'
  /** A leaf that its signer cannot have made honestly. */
  | 'leaf'
  /** A link or still that does not go on where the mailbox's chain stood. */
  | 'chain'
  /** An inbox's entry that does not go on where its sender stood, or is not its message's. */
  | 'sender'
  /** An entry whose submission is missing, or is not its sender's over its message. */
  | 'submission'
  /** What was handed over at a move is not there, not signed, or not where chains and senders stood. */
  | 'hand-over'
  /** A message that a stage lost, changed or made up. */
  | 'message'
  /** What is kept beside what was signed: hashes, nodes, where chains stand. */
  | 'cache';

export interface Finding {
  readonly kind: Kind;
  /** 0 = of no epoch. */
  readonly epoch: number;
  readonly text: string;
  /** How many more of the kind there are in the epoch, of the same actor. */
  readonly more: number;
  /** The canonical evidence; null when nothing that was signed proves who is guilty. */
  readonly evidence: Uint8Array | null;
  readonly verdict: Verdict | null;
}

/** An id, so that people can tell it from others. */
export const short = (id: Uint8Array): string => `${toHex(id.subarray(0, 6))}…`;
