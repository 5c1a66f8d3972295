/** Why two clients could not compare. */
export type ComparisonErrorCode =
  /** The other's bytes are not what is expected here, or more than they may be. */
  | 'malformed'
  /** It did not answer in time, or ended. */
  | 'no-answer'
  /** What it says now is not what its digest says. */
  | 'contradicts-itself'
  /** Of another server, another pair, another scope, or with no common start. */
  | 'not-comparable'
  /** They differ in what one of the two has let go. */
  | 'let-go'
  /** Its block is of other messages than are known here: `compare` finds out in which. */
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
