/**
 * Signed notes (C2SP signed-note): a text with signatures, each by a named key.
 *
 *   note          text, which ends with LF ‖ LF ‖ signature line × 1 or more
 *   line          em dash U+2014 ‖ space ‖ key name ‖ space ‖ base64(key id 4 ‖ signature) ‖ LF
 *   key id        first 4 bytes of H(key name ‖ LF ‖ type 1 ‖ public key)
 *   verifier key  key name ‖ `+` ‖ key id in 8 hexadecimal digits ‖ `+` ‖ base64(type 1 ‖ public key)
 *
 * Base64 is standard, padded and canonical; UTF-8 is valid, with no control character but LF.
 */
import { sha256 } from '#crypto';
import { concat, equalBytes, FormatError, fromHex, HASH_BYTES, toHex } from '../bytes.js';
import { toBase64 } from '../log.js';

/** Room for 16 signatures of 5 kB, as the specification wants, and for a proof of 63 hashes. */
export const MAX_NOTE_BYTES = 131_072;
/** A verifier must take 16. */
export const MAX_NOTE_SIGNATURES = 64;

/** How a key signs: what comes before the public key in its key id. */
export const NOTE_KEY = {
  /** Ed25519 over the text. */
  ed25519: 0x01,
  /** Ed25519 with a timestamp (C2SP tlog-cosignature, cosignature/v1). */
  cosignature: 0x04,
} as const;
export type NoteKeyType = (typeof NOTE_KEY)[keyof typeof NOTE_KEY];

export interface VerifierKey {
  readonly name: string;
  readonly type: NoteKeyType;
  /** 32 bytes; whether it is a good key (`isGoodKey`) is for the holder to check. */
  readonly publicKey: Uint8Array;
}

export interface NoteSignature {
  readonly name: string;
  /** 4 bytes. */
  readonly keyId: Uint8Array;
  /** What the key has made; its form depends on the key's type. One byte or more. */
  readonly signature: Uint8Array;
}

export interface SignedNote {
  /** What is signed, up to and with the line feed before the empty line. */
  readonly text: Uint8Array;
  readonly signatures: readonly NoteSignature[];
}

const DASH = '\u2014';
const BAD_NAME = /[\p{White_Space}+]/u;
const encoder = new TextEncoder();
// A byte order mark is text like any other: it is signed.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** Not empty, no Unicode space, no plus sign, nothing that a note may not hold. */
export function isKeyName(name: string): boolean {
  return name !== '' && !BAD_NAME.test(name) && !hasControl(name);
}

export function noteKeyId({ name, type, publicKey }: VerifierKey): Uint8Array {
  return sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), publicKey)).slice(0, 4);
}

/** One signature line with its line feed. */
export function encodeSignature({ name, keyId, signature }: NoteSignature): string {
  return `${DASH} ${name} ${toBase64(concat(keyId, signature))}\n`;
}

/** The same, of what this key has made. */
export function noteSignatureLine(key: VerifierKey, signature: Uint8Array): string {
  return encodeSignature({ name: key.name, keyId: noteKeyId(key), signature });
}

/** The signatures of one key: name and key id are its own. The others are by strangers, whatever they say. */
export function signaturesBy(key: VerifierKey, signatures: readonly NoteSignature[]): NoteSignature[] {
  const id = noteKeyId(key);
  return signatures.filter(({ name, keyId }) => name === key.name && equalBytes(keyId, id));
}

export function encodeVerifierKey(key: VerifierKey): string {
  const { name, type, publicKey } = key;
  return `${name}+${toHex(noteKeyId(key))}+${toBase64(concat(Uint8Array.of(type), publicKey))}`;
}

/** Throws `FormatError` unless it is a verifier key of one of these types, with the key id that it must have. */
export function decodeVerifierKey(text: string, type: NoteKeyType): VerifierKey {
  // Base64 has plus signs too: the third part is all that is left.
  const [, name = '', id = '', encoded = ''] = /^([^+]*)\+([^+]*)\+(.*)$/s.exec(text) ?? [];
  if (!isKeyName(name)) throw new FormatError('verifier key: expected NAME+ID+KEY');
  const bytes = fromBase64(encoded);
  if (bytes.length !== 1 + HASH_BYTES || bytes[0] !== type)
    throw new FormatError(`verifier key: expected a key of type ${type} and 32 bytes`);
  const key = { name, type, publicKey: bytes.slice(1) };
  if (!equalBytes(fromHex(id, 4), noteKeyId(key))) throw new FormatError('verifier key: not its key id');
  return key;
}

/** Throws `FormatError`. What keys there are and whether they have signed is not looked at. */
export function decodeNote(bytes: Uint8Array): SignedNote {
  const whole = decodeText(bytes);
  // The last empty line: the text may have some as well.
  const end = whole.lastIndexOf('\n\n');
  if (end < 0) throw new FormatError('note: no empty line before signatures');
  const text = utf8(whole.slice(0, end + 1));
  return { text, signatures: signatureLines(whole.slice(end + 2)) };
}

/** Signature lines alone, one or more, as a witness answers. Throws `FormatError`. */
export function decodeSignatureLines(bytes: Uint8Array): NoteSignature[] {
  return signatureLines(decodeText(bytes));
}

/** Bounded, UTF-8, no control characters. Throws `FormatError`. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes.length > MAX_NOTE_BYTES) throw new FormatError(`note: more than ${MAX_NOTE_BYTES} bytes`);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new FormatError('note: not UTF-8');
  }
  if (hasControl(text.replaceAll('\n', ''))) throw new FormatError('note: a control character');
  return text;
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x20) return true;
  return false;
}

function signatureLines(text: string): NoteSignature[] {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.length === 0) throw new FormatError('note: expected signature lines');
  if (lines.length > MAX_NOTE_SIGNATURES)
    throw new FormatError(`note: more than ${MAX_NOTE_SIGNATURES} signatures`);
  return lines.map((line) => {
    const [dash, name = '', encoded = '', ...rest] = line.split(' ');
    if (dash !== DASH || !isKeyName(name) || rest.length > 0)
      throw new FormatError('note: a line that is no signature');
    const bytes = fromBase64(encoded);
    if (bytes.length < 5) throw new FormatError('note: a signature without bytes');
    return { name, keyId: bytes.slice(0, 4), signature: bytes.slice(4) };
  });
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Throws `FormatError` unless it is the one standard base64 text of some bytes. */
export function fromBase64(text: string): Uint8Array {
  if (!BASE64.test(text)) throw new FormatError('expected base64 with padding');
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  // Bits that are left over must be zero: they are in the last group.
  const group = bytes.subarray(Math.floor((bytes.length - 1) / 3) * 3);
  if (toBase64(group) !== text.slice(-4)) throw new FormatError('expected canonical base64');
  return bytes;
}
