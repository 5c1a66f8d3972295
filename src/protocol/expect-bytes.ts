import { FormatError, type Reader, sameBytes } from './bytes.js';

/** Reads these bytes and no others. */
export function expectBytes(reader: Reader, bytes: Uint8Array, what: string): void {
  const from = reader.take(bytes.length);
  if (!sameBytes(reader.data, from, bytes, 0, bytes.length))
    throw new FormatError(`${what} expected at ${from}`);
}
