/** Reads a checkpoint as servers tell it and clients keep it: a C2SP signed note. */
import { FormatError } from '../bytes.js';
import { type Checkpoint, checkpointNote } from '../log.js';

/** Throws `FormatError` on anything but the note that `checkpointNote` gives for this server and key. Its signature is not verified. */
export function readCheckpointNote(note: string, serverId: Uint8Array, sequencerKey: Uint8Array): Checkpoint {
  const [, size, root, empty, signed] = note.split('\n');
  const signature = signed?.split(' ')[2];
  if (size === undefined || root === undefined || empty !== '' || signature === undefined)
    throw new FormatError('no checkpoint: five lines are expected');
  // Four bytes of the key's id are before the signature.
  const found = { size: Number(size), root: bytesOf(root), signature: bytesOf(signature).slice(4) };
  if (!Number.isSafeInteger(found.size) || checkpointNote(serverId, found, sequencerKey) !== note)
    throw new FormatError('no checkpoint of this server');
  return found;
}

function bytesOf(base64: string): Uint8Array {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    throw new FormatError('no base64');
  }
}
