/**
 * One secret key in one file: the 32-byte Ed25519 seed as 64 lowercase hex digits and a newline,
 * mode 0600. Written once, durably, and never overwritten: a lost key is a lost identity.
 */
import { constants } from 'node:fs';
import { type FileHandle, link, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { randomBytes } from '#crypto';
import { HAS_MODES, syncDirectory, writeDurably } from './durable-file.js';
import { OperatorError, systemCode } from './operator-error.js';

const FILE_BYTES = 65;
const FORM = /^[0-9a-f]{64}\n$/;

/**
 * The seed, 32 bytes. Throws `OperatorError` `key-not-found`, `key-not-private` (group or others may
 * use the file) or `key-malformed`, each naming the file; the message never shows its content.
 */
export async function readKeyFile(file: string): Promise<Uint8Array> {
  const handle = await openKey(file);
  try {
    await checkPrivate(file, handle);
    return await readSeed(file, handle);
  } finally {
    await handle.close();
  }
}

/**
 * Writes a 32-byte seed so that after a crash there is the whole file or none. The directory must
 * exist. Throws `OperatorError` `key-exists` and leaves the file that is there alone.
 */
export async function writeKeyFile(file: string, seed: Uint8Array): Promise<void> {
  if (seed.length !== 32) throw new TypeError(`seed: expected 32 bytes, got ${seed.length}`);
  const suffix = Buffer.from(randomBytes(8)).toString('hex');
  const temporary = join(dirname(file), `.key-${suffix}.tmp`);
  try {
    await writeDurably(temporary, `${Buffer.from(seed).toString('hex')}\n`);
    // Not rename: that would replace a key that another process has put there meanwhile.
    await link(temporary, file);
  } catch (error) {
    throw systemCode(error) === 'EEXIST' ? alreadyThere(file) : error;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(file));
}

async function openKey(file: string): Promise<FileHandle> {
  try {
    return await open(file, constants.O_RDONLY);
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw cause;
    const next = `Restore it, or make a new one with: countersign keygen --out ${file}`;
    throw new OperatorError('key-not-found', `there is no key file ${file}`, next, { cause });
  }
}

/** Asks the open file, not its name: the name could be another file by the time it is read. */
async function checkPrivate(file: string, handle: FileHandle): Promise<void> {
  const { mode } = await handle.stat();
  if (!HAS_MODES || (mode & 0o077) === 0) return;
  const message = `${file} may be used by others than its owner (mode ${(mode & 0o777).toString(8)})`;
  throw new OperatorError('key-not-private', message, `Run: chmod 600 ${file}`);
}

async function readSeed(file: string, handle: FileHandle): Promise<Uint8Array> {
  // One byte more than a good file has, so that a longer one is seen and a huge one is not loaded.
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(FILE_BYTES + 1), 0, FILE_BYTES + 1, 0);
  const content = buffer.toString('latin1', 0, bytesRead);
  if (FORM.test(content)) return Uint8Array.from(Buffer.from(content.slice(0, 64), 'hex'));
  const message = `${file}: expected 64 lowercase hex digits and a newline, got ${describe(bytesRead)}`;
  throw new OperatorError('key-malformed', message, 'Restore this file from your backup of the keys.');
}

function describe(bytesRead: number): string {
  if (bytesRead > FILE_BYTES) return `more than ${FILE_BYTES} bytes`;
  return bytesRead === FILE_BYTES ? 'other characters' : `${bytesRead} bytes`;
}

function alreadyThere(file: string): OperatorError {
  const next = 'Use that key, or choose another file: keys are never overwritten.';
  return new OperatorError('key-exists', `${file} exists already`, next);
}
