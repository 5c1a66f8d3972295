/** Ids as map keys: 32 bytes as a latin1 string, which compares and sorts as the bytes do. */

const slice = Buffer.prototype.latin1Slice;

export function idAt(bytes: Uint8Array, at: number): string {
  return slice.call(bytes as Buffer, at, at + 32);
}

/** Below 0 when the id at `at` sorts before `id`; no string is made. */
export function compareId(bytes: Uint8Array, at: number, id: string): number {
  for (let i = 0; i < 32; i++) {
    const order = bytes[at + i]! - id.charCodeAt(i);
    if (order !== 0) return order;
  }
  return 0;
}

export function idBytes(id: string): Uint8Array {
  return Buffer.from(id, 'latin1');
}
