/** Ids as map keys: 32 bytes as a latin1 string, which compares and sorts as the bytes do. */

const slice = Buffer.prototype.latin1Slice;

export function idAt(bytes: Uint8Array, at: number): string {
  return slice.call(bytes as Buffer, at, at + 32);
}

export function idBytes(id: string): Uint8Array {
  return Buffer.from(id, 'latin1');
}
