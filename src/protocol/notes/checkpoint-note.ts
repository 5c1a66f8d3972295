/**
 * Checkpoints as notes (C2SP tlog-checkpoint), of this protocol's log or any other, and their cosignatures
 * (C2SP tlog-cosignature).
 *
 *   text         origin LF ‖ size in decimal LF ‖ base64(root 32) LF ‖ further lines, not empty, each with LF
 *   cosignature  timestamp 8 ‖ Ed25519 signature 64; key type 0x04
 *   cosigned     `cosignature/v1` LF ‖ `time ` ‖ timestamp in decimal LF ‖ text
 */
import type { Base } from '../attestation.js';
import { concat, FormatError, getU64, HASH_BYTES, putU64, SIGNATURE_BYTES } from '../bytes.js';
import { type Checkpoint, checkpointOrigin, checkpointText } from '../log.js';
import {
  decodeNote,
  fromBase64,
  NOTE_KEY,
  type NoteSignature,
  noteSignatureLine,
  type SignedNote,
  utf8,
  type VerifierKey,
} from './signed-note.js';

/** Anchors are the checkpoints at log sizes divisible by this. They alone are cosigned, so that witnesses see the same ones. */
export const ANCHOR_INTERVAL = 1024;

/** The newest anchor of a log of this size; 0 = none yet. */
export function anchorBelow(size: number): number {
  return size - (size % ANCHOR_INTERVAL);
}

/** How the sequencer's key is named where checkpoints are notes. */
export function checkpointKey(serverId: Uint8Array, sequencerKey: Uint8Array): VerifierKey {
  return { name: checkpointOrigin(serverId), type: NOTE_KEY.ed25519, publicKey: sequencerKey };
}

/** The whole note: text, empty line, one signature line of the sequencer's key. */
export function checkpointNote(
  serverId: Uint8Array,
  { size, root, signature }: Checkpoint,
  sequencerKey: Uint8Array,
): string {
  const text = String.fromCharCode(...checkpointText(serverId, size, root));
  return `${text}\n${noteSignatureLine(checkpointKey(serverId, sequencerKey), signature)}`;
}

export interface CheckpointNote extends SignedNote, Base {
  readonly origin: string;
}

/** Throws `FormatError`. Nothing is verified. */
export function decodeCheckpointNote(bytes: Uint8Array): CheckpointNote {
  const note = decodeNote(bytes);
  const lines = new TextDecoder('utf-8', { ignoreBOM: true }).decode(note.text).split('\n');
  lines.pop();
  if (lines.length < 3 || lines.includes(''))
    throw new FormatError('checkpoint: expected three lines or more');
  const [origin, size, encoded] = lines as [string, string, string];
  const root = fromBase64(encoded);
  if (root.length !== HASH_BYTES) throw new FormatError('checkpoint: a root is 32 bytes');
  return { ...note, origin, size: decodeSize(size), root };
}

/** A log size in decimal, without leading zeros. Throws `FormatError`, also above 2^53 − 1. */
export function decodeSize(text: string): number {
  if (!/^(0|[1-9]\d{0,15})$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new FormatError('expected a log size in decimal');
  return Number(text);
}

export interface Cosignature {
  /** Seconds since 1970, when the witness signed. */
  readonly timestamp: number;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** What a witness signs. */
export function cosignedBytes(timestamp: number, text: Uint8Array): Uint8Array {
  return concat(utf8(`cosignature/v1\ntime ${timestamp}\n`), text);
}

/** The signature line of a cosignature, with its line feed. */
export function cosignatureLine(key: VerifierKey, { timestamp, signature }: Cosignature): string {
  const out = new Uint8Array(8 + SIGNATURE_BYTES);
  putU64(out, 0, timestamp);
  out.set(signature, 8);
  return noteSignatureLine(key, out);
}

/**
 * What a signature of a key of type `cosignature` consists of. Throws `FormatError` on other lengths, and on times above
 * 2^53 − 1, which lie in no present.
 */
export function decodeCosignature({ signature }: NoteSignature): Cosignature {
  if (signature.length !== 8 + SIGNATURE_BYTES) throw new FormatError('cosignature: expected 72 bytes');
  return { timestamp: getU64(signature, 0), signature: signature.slice(8) };
}
