/** base64url without padding (RFC 4648 §5), for JSON frames. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
const NONE = 64;
const VALUES = new Uint8Array(256).fill(NONE);
CODES.forEach((code, value) => {
  VALUES[code] = value;
});

/** Room for most; what is longer gets its own. */
const scratch = new Uint8Array(100_000);
const decoder = new TextDecoder();
/** Up to so many characters, a call with a character for each argument is quicker than a decoder. */
const FEW = 100;

export function toBase64Url(bytes: Uint8Array): string {
  const length = Math.ceil((bytes.length * 4) / 3);
  const out = length + 3 > scratch.length ? new Uint8Array(length + 3) : scratch;
  for (let from = 0, at = 0; from < bytes.length; from += 3, at += 4) {
    // Missing bytes of the last group count as zeros; what they add is cut off.
    const group = (bytes[from]! << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    out[at] = CODES[group >>> 18]!;
    out[at + 1] = CODES[(group >>> 12) & 63]!;
    out[at + 2] = CODES[(group >>> 6) & 63]!;
    out[at + 3] = CODES[group & 63]!;
  }
  const characters = out.subarray(0, length);
  return length <= FEW ? String.fromCharCode.apply(null, characters as never) : decoder.decode(characters);
}

/** Null unless `text` is the one base64url text of some bytes: no padding, no bits left over. */
export function fromBase64Url(text: string): Uint8Array | null {
  const rest = text.length % 4;
  if (rest === 1) return null;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let group = 0;
  for (let i = 0, at = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 256 ? VALUES[code]! : NONE;
    if (value === NONE) return null;
    group = (group << 6) | value;
    if (i % 4 === 0) continue;
    bytes[at++] = group >>> (6 - 2 * (i % 4));
  }
  const left = rest === 2 ? group & 15 : rest === 3 ? group & 3 : 0;
  return left === 0 ? bytes : null;
}
