/** Why two clients could not compare. */
export type ComparisonErrorCode =
  /** The other's bytes are not what is expected here, or more than they may be. */
  | 'malformed'
  /** A frame that the other's key has not signed on this line: somebody else has said it. */
  | 'not-authentic'
  /** It did not answer in time, or ended. */
  | 'no-answer'
  /** What it says now is not what its digest says. */
  | 'contradicts-itself'
  /** Of another server, another pair, another scope, or with no epoch that both know of, or not yet. */
  | 'not-comparable'
  /** Its newest checkpoint is signed by no sequencer that is known here: the other's manifest is newer, or it has made it up. */
  | 'unknown-checkpoint'
  /** They differ in what one of the two has let go. */
  | 'let-go'
  /** Its block, or its digest in `compare`, is of other messages than are known here. In which was not found out: `compare` does, or was cut off. */
  | 'differs'
  /** The two have been shown other roots of one size of the log: `compare` makes evidence of it. */
  | 'forked'
  /** What the two know is not shown to be one log, and the server does not show it either: it is suspected of keeping two. */
  | 'no-proof'
  /** The claims of the two are not shown to be of one log: one of the two knows too little of it. */
  | 'not-bridged'
  /** They differ, and what the two hold proves nothing against the server. */
  | 'nothing-proven';

export class ComparisonError extends Error {
  override name = 'ComparisonError';

  constructor(
    readonly code: ComparisonErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${code}: ${message}`, options);
  }
}
