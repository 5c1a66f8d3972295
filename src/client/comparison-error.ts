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
