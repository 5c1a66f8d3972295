/** One process per data directory: the lock is `<data>/lock/`. */
import { join } from 'node:path';
import { type DirectoryLock, LockError, lockDirectory } from '../client/directory-lock.js';
import { OperatorError } from './operator-error.js';

/**
 * Takes the lock on a data directory, which is made when it is not there. Throws `OperatorError` `data-locked`
 * (another process has it), `data-lock-denied` (another user's) or `data-path-too-long`.
 */
export async function lockDataDirectory(directory: string): Promise<DirectoryLock> {
  try {
    return await lockDirectory(join(directory, 'lock'));
  } catch (error) {
    if (error instanceof LockError) throw operatorError(error, directory);
    throw error;
  }
}

function operatorError({ reason, message }: LockError, data: string): OperatorError {
  if (reason === 'taken') {
    const next = 'Stop that process, or give this one another directory with --data.';
    return new OperatorError('data-locked', `${data} is ${message}`, next);
  }
  if (reason === 'denied')
    return new OperatorError('data-lock-denied', message, `Run as the owner of ${data}.`);
  return new OperatorError('data-path-too-long', message, 'Choose a shorter one with --data.');
}
