/**
 * A failure that the person who runs the program can mend: a stable code, what happened, and what
 * to do next. Command line and server print all three; nothing else gives advice.
 */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';

  /** `code` is kebab-case and stable; `next` is one sentence, or '' when the message says it all. */
  constructor(
    readonly code: string,
    message: string,
    readonly next: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What another thread is given: of an error's class and fields a copy between threads keeps nothing. */
export function forOtherThread(error: unknown): unknown {
  if (!(error instanceof OperatorError)) return error;
  const { code, message, next } = error;
  return { code, message, next };
}

/** The error again that `forOtherThread` was given. */
export function fromOtherThread(error: unknown): Error {
  if (error instanceof Error) return error;
  const { code, message, next } = error as OperatorError;
  return new OperatorError(code, message, next);
}

/** The `code` of a system error (`ENOENT` …), or undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
