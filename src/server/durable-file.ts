/** Files that are whole or not there, whenever the power fails. */
import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Windows has no such bits: there the directory's access list has to protect what is secret. */
export const HAS_MODES = process.platform !== 'win32';

/** Puts a text in the place of what the file had, durably: afterwards, and after any crash, it is the one or the other. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}${TEMPORARY}`;
  await writeDurably(temporary, text, 'w');
  await rename(temporary, file);
  await syncDirectory(dirname(file));
}

/** How the name of a file ends that is not in its place yet. */
export const TEMPORARY = '.tmp';

/** Makes new and removed names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  if (!HAS_MODES) return; // Windows opens no directories, and journals names by itself.
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Owner only. The name is not durable yet. */
export async function writeDurably(file: string, text: string, flags: 'w' | 'wx' = 'wx'): Promise<void> {
  const handle = await open(file, flags, 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
