/** What a client throws, and tells by an event, when the server's bytes do not prove what they say. */
import { CountersignError, FormatError } from '../protocol/index.js';

/** Which check failed. Stable, for logs and tests. */
export type VerificationStep =
  | 'format'
  | 'manifest'
  | 'slot'
  | 'entry'
  | 'own-message'
  | 'chain'
  | 'output'
  | 'epoch'
  | 'log'
  | 'signature'
  | 'resume'
  | 'still';

/** `frame` holds the offending bytes; keep them, they are what there is to look at. */
export class VerificationError extends CountersignError {
  override name = 'VerificationError';
  /** What proves it to others, where it can be proven. */
  evidence?: Uint8Array;

  constructor(
    readonly step: VerificationStep,
    message: string,
    readonly frame: Uint8Array = new Uint8Array(0),
    options?: ErrorOptions,
  ) {
    super('verification-failed', `${step}: ${message}`, options);
  }
}

/** Thrown inside the verifier, which adds the frame. */
export class Mismatch extends FormatError {
  constructor(
    readonly step: VerificationStep,
    message: string,
  ) {
    super(message);
  }
}

/** Runs a check over `frame`; whatever is wrong with the bytes comes out as a `VerificationError`. */
export function overFrame<T>(frame: Uint8Array, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const step = error instanceof Mismatch ? error.step : 'format';
    throw new VerificationError(step, error.message, frame, { cause: error });
  }
}
