/** Reads a checkpoint as servers tell it and clients keep it: a C2SP signed note. */
import { equalBytes, FormatError, SIGNATURE_BYTES } from '../bytes.js';
import { type Checkpoint, checkpointText } from '../log.js';
import { checkpointKey, decodeCheckpointNote, signaturesBy, utf8 } from '../notes/index.js';

/** Throws `FormatError` on anything but a note of this server, signed under this key's id. The signature is not verified. */
export function readCheckpointNote(note: string, serverId: Uint8Array, sequencerKey: Uint8Array): Checkpoint {
  const { text, size, root, signatures } = decodeCheckpointNote(utf8(note));
  const [signed] = signaturesBy(checkpointKey(serverId, sequencerKey), signatures);
  const isOurs = equalBytes(text, checkpointText(serverId, size, root));
  if (!isOurs || signed?.signature.length !== SIGNATURE_BYTES)
    throw new FormatError('no checkpoint of this server');
  return { size, root, signature: signed.signature };
}
