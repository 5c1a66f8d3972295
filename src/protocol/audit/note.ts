/** Reads a checkpoint as servers tell it and clients keep it: a C2SP signed note. */
import { equalBytes, FormatError, SIGNATURE_BYTES } from '../bytes.js';
import { type Checkpoint, checkpointText } from '../log.js';
import { checkpointKey, decodeCheckpointNote, signaturesBy, utf8 } from '../notes/index.js';

/** Throws `FormatError` on anything but a note of this server, signed under the id of one of these keys. The signature is not verified. */
export function readCheckpointNote(
  note: string,
  serverId: Uint8Array,
  sequencerKeys: readonly Uint8Array[],
): Checkpoint {
  const { text, size, root, signatures } = decodeCheckpointNote(utf8(note));
  const [signed] = sequencerKeys.flatMap((key) => signaturesBy(checkpointKey(serverId, key), signatures));
  const isOurs = equalBytes(text, checkpointText(serverId, size, root));
  if (!isOurs || signed?.signature.length !== SIGNATURE_BYTES)
    throw new FormatError('no checkpoint of this server');
  return { size, root, signature: signed.signature };
}
