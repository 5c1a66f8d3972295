/** Files that people name on the command line: read with a bound, and never written over. */
import { open, writeFile } from 'node:fs/promises';
import { OperatorError, systemCode } from '../server/operator-error.js';

/** The whole file, or an error that says that it is larger than `most` bytes: whatever it is, no more than that is read. */
export async function readAtMost(file: string, most: number): Promise<Uint8Array> {
  const handle = await open(file);
  try {
    const bytes = new Uint8Array(most + 1);
    let end = 0;
    for (let read = 1; read > 0 && end <= most; end += read)
      ({ bytesRead: read } = await handle.read(bytes, end, bytes.length - end));
    if (end > most) throw new Error(`${file} has more than ${most} bytes`);
    return bytes.slice(0, end);
  } finally {
    await handle.close();
  }
}

/** Throws `OperatorError` `file-exists`, and leaves the file that is there alone. */
export async function writeNew(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(file, bytes, { flag: 'wx' });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    throw new OperatorError(
      'file-exists',
      `${file} is there already`,
      'Name another file, or remove it first.',
    );
  }
}
