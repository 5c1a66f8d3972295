/** Reads a checkpoint as servers tell it and clients keep it: a C2SP signed note. */

import { ROLE } from '../attestation.js';
import { equalBytes, FormatError, SIGNATURE_BYTES } from '../bytes.js';
import { type Checkpoint, checkpointText } from '../log.js';
import { keysOf, type Manifest } from '../manifest.js';
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

/** Whether a sequencer of one of these versions of the manifest has signed it. */
export function isSigned(
  { size, root, signature }: Checkpoint,
  serverId: Uint8Array,
  manifests: readonly Manifest[],
): boolean {
  const text = checkpointText(serverId, size, root);
  return manifests.some((manifest) => keysOf(manifest).get(ROLE.sequencer, 0).verify(text, signature));
}
