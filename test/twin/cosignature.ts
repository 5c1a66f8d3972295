/**
 * Signed notes, cosignatures and witnesses once more, by C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-witness:
 * one regular expression per form, everything else by node:crypto and Buffer.
 */
import { H, join, u8, u64 } from './bytes.js';
import { verify } from './ed25519.js';
import { verifyConsistency } from './merkle.js';

export interface NoteLine {
  name: string;
  id: Buffer;
  signature: Buffer;
}

export interface NoteCheckpoint {
  text: string;
  origin: string;
  size: bigint;
  root: Buffer;
  lines: NoteLine[];
}

/** Every character that Unicode counts as a space, written out, and the plus sign. */
const NOT_IN_NAMES =
  ' \t\n\v\f\r\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000+';

const GREATEST = 2n ** 53n - 1n;

/** key id = SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4] */
export function keyId(name: string, type: number, publicKey: Uint8Array): Buffer {
  return H(Buffer.from(name), u8(0x0a), u8(type), publicKey).subarray(0, 4);
}

export function verifierKey(name: string, type: number, publicKey: Uint8Array): string {
  const key = join(u8(type), publicKey).toString('base64');
  return `${name}+${keyId(name, type, publicKey).toString('hex')}+${key}`;
}

/** message = cosignature/v1 LF time N LF ‖ note text */
export function cosignedMessage(timestamp: bigint, text: string): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${timestamp}\n${text}`);
}

/** line = — name base64(key id ‖ timestamp 8 ‖ signature 64) */
export function cosignature(
  name: string,
  publicKey: Uint8Array,
  timestamp: bigint,
  signature: Uint8Array,
): string {
  const bytes = join(keyId(name, 4, publicKey), u64(timestamp), signature);
  return `\u2014 ${name} ${bytes.toString('base64')}\n`;
}

/** Whether a line by this key is a cosignature of the text, and of which time. */
export function cosignedAt(
  line: NoteLine,
  name: string,
  publicKey: Uint8Array,
  text: string,
): bigint | undefined {
  if (line.name !== name || !line.id.equals(keyId(name, 4, publicKey))) return undefined;
  if (line.signature.length !== 72) return undefined;
  const timestamp = line.signature.readBigUInt64BE(0);
  return verify(publicKey, cosignedMessage(timestamp, text), line.signature.subarray(8))
    ? timestamp
    : undefined;
}

function base64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function text(bytes: Buffer): string | undefined {
  const found = bytes.toString('utf8');
  const isWhole = bytes.length <= 131_072 && Buffer.from(found).equals(bytes);
  return isWhole && [...found].every((each) => each === '\n' || each >= ' ') ? found : undefined;
}

/** The lines of signatures, or nothing if one of them is none. */
export function signatureLines(all: string): NoteLine[] | undefined {
  if (!all.endsWith('\n')) return undefined;
  const lines = all
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      const found = /^\u2014 ([^ ]+) ([^ ]+)$/.exec(line);
      const bytes = base64(found?.[2] ?? '');
      if (!found || !bytes || bytes.length < 5) return undefined;
      if ([...found[1]!].some((each) => NOT_IN_NAMES.includes(each))) return undefined;
      return { name: found[1]!, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
    });
  return lines.length > 64 || lines.includes(undefined) ? undefined : (lines as NoteLine[]);
}

/** Nothing if it is no checkpoint. */
export function readCheckpoint(note: string): NoteCheckpoint | undefined {
  const found = /^([^\n]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\n((?:[^\n]+\n)*)\n([\s\S]*)$/.exec(note);
  if (!found) return undefined;
  const [, origin, size, encoded, , rest] = found as unknown as string[];
  const [root, lines] = [base64(encoded!), signatureLines(rest!)];
  if (!root || !lines || BigInt(size!) > GREATEST) return undefined;
  return {
    text: note.slice(0, note.length - rest!.length - 1),
    origin: origin!,
    size: BigInt(size!),
    root,
    lines,
  };
}

export interface Request {
  old: bigint;
  proof: Buffer[];
  checkpoint: NoteCheckpoint;
}

/** Nothing if it is no request. */
export function readRequest(bytes: Buffer): Request | undefined {
  const found = /^old (0|[1-9][0-9]*)\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n([\s\S]*)$/.exec(text(bytes) ?? '');
  if (!found || BigInt(found[1]!) > GREATEST) return undefined;
  const proof = found[2]!.split('\n').slice(0, -1).map(base64);
  const checkpoint = readCheckpoint(found[3]!);
  if (!checkpoint || proof.includes(undefined)) return undefined;
  return { old: BigInt(found[1]!), proof: proof as Buffer[], checkpoint };
}

export interface Known {
  size: bigint;
  root: Buffer;
}

/** By origin: a log's keys, and what was cosigned of it last. */
export interface WitnessTwin {
  keys: Map<string, Buffer[]>;
  known: Map<string, Known>;
}

/** The status of the answer; with 200 the twin knows the new checkpoint. Checks in the order of the specification. */
export function answer({ keys, known }: WitnessTwin, body: Buffer): { status: number; size?: bigint } {
  const request = readRequest(body);
  if (!request) return { status: 400 };
  const { old, proof, checkpoint } = request;
  const { origin, size, root } = checkpoint;
  const own = keys.get(origin);
  if (!own) return { status: 404 };
  const isSigned = checkpoint.lines.some(({ name, id, signature }) =>
    own.some(
      (key) =>
        name === origin &&
        id.equals(keyId(origin, 1, key)) &&
        signature.length === 64 &&
        verify(key, Buffer.from(checkpoint.text), signature),
    ),
  );
  if (!isSigned) return { status: 403 };
  if (old > size) return { status: 400 };
  const last = known.get(origin) ?? { size: 0n, root: H() };
  if (old !== last.size) return { status: 409, size: last.size };
  // Of equal sizes the specification wants the roots looked at after the proof, which must be empty.
  if (old === 0n || old === size ? proof.length > 0 : !verifyConsistency(old, size, last.root, root, proof))
    return { status: 422 };
  if (old === size && !root.equals(last.root)) return { status: 409, size: last.size };
  known.set(origin, { size, root });
  return { status: 200 };
}

/** Request body: old size, proof, empty line, checkpoint. */
export function request(old: bigint, proof: Buffer[], note: string): Buffer {
  return Buffer.from(`old ${old}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${note}`);
}

/** A note signed by Ed25519 (key type 1). */
export function signedNote(body: string, name: string, publicKey: Uint8Array, signature: Uint8Array): string {
  const line = join(keyId(name, 1, publicKey), signature).toString('base64');
  return `${body}\n\u2014 ${name} ${line}\n`;
}
