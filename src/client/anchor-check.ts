/** Pure: what a server's anchors show of a log that a client has verified up to some size. */
import { verifierOf } from '#crypto';
import { actorKey, type Base, FormatError, type Manifest, ROLE } from '../protocol/index.js';
import {
  type CheckpointNote,
  checkpointKey,
  cosignedBytes,
  decodeCheckpointNote,
  decodeCosignature,
  signaturesBy,
  utf8,
  type VerifierKey,
} from '../protocol/notes/index.js';
import { VerificationError } from './verification-error.js';

/** A checkpoint that the sequencer has signed, with who has cosigned it. */
export interface Anchor extends Base {
  readonly note: string;
  /** 64 bytes, the sequencer's. */
  readonly signature: Uint8Array;
  /** Names of known witnesses. */
  readonly witnesses: readonly string[];
}

/** Rejects with `VerificationError` unless it is an anchor of this log, signed by its sequencer. Cosignatures that do not verify do not count. */
export async function openAnchor(
  note: string,
  serverId: Uint8Array,
  manifest: Manifest,
  keys: readonly VerifierKey[],
): Promise<Anchor> {
  const decoded = decodedNote(note);
  const own = checkpointKey(serverId, actorKey(manifest, ROLE.sequencer, 0));
  const [signed] = signaturesBy(own, decoded.signatures);
  if (decoded.origin !== own.name || !signed)
    throw new VerificationError('log', 'not an anchor of this server', utf8(note));
  if (!(await verifierOf(own.publicKey).verify(decoded.text, signed.signature)))
    throw new VerificationError('signature', 'an anchor that its sequencer has not signed', utf8(note));
  const witnesses: string[] = [];
  for (const key of keys) if (await hasCosigned(key, decoded)) witnesses.push(key.name);
  const { size, root } = decoded;
  return { note, size, root, signature: signed.signature, witnesses };
}

function decodedNote(note: string): CheckpointNote {
  try {
    return decodeCheckpointNote(utf8(note));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new VerificationError('format', error.message, utf8(note), { cause: error });
  }
}

async function hasCosigned(key: VerifierKey, { text, signatures }: CheckpointNote): Promise<boolean> {
  for (const each of signaturesBy(key, signatures)) {
    try {
      const { timestamp, signature } = decodeCosignature(each);
      if (await verifierOf(key.publicKey).verify(cosignedBytes(timestamp, text), signature)) return true;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
  return false;
}
