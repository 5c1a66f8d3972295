/** Strict reading: whoever reads says at the end that nothing is left. All that is read is copied. */

/** Bytes that are not laid out as the specification says. */
export class Unreadable extends Error {}

/** "An integer of 8 bytes is at most 2^53 − 1. A decoder refuses more." */
const MOST = 2n ** 53n - 1n;

export class Reader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  take(length: number): Buffer {
    if (length > this.bytes.length - this.at) throw new Unreadable(`bytes missing at ${this.at}`);
    this.at += length;
    return Buffer.from(this.bytes.subarray(this.at - length, this.at));
  }

  u8(): number {
    return this.take(1).readUInt8();
  }

  u16(): number {
    return this.take(2).readUInt16BE();
  }

  u32(): number {
    return this.take(4).readUInt32BE();
  }

  u64(): bigint {
    const value = this.take(8).readBigUInt64BE();
    if (value > MOST) throw new Unreadable(`an integer above 2^53 − 1 before ${this.at}`);
    return value;
  }

  hash(): Buffer {
    return this.take(32);
  }

  /** Text, or a tag with or without the 0x00 before it. */
  literal(expected: Buffer): void {
    if (!this.take(expected.length).equals(expected)) throw new Unreadable(`not ${expected}`);
  }

  /** length 4 ‖ that many bytes */
  bytesUpTo(most: number): Buffer {
    const length = this.u32();
    if (length > most) throw new Unreadable(`${length} bytes, at most ${most}`);
    return this.take(length);
  }

  times<T>(count: number, one: () => T): T[] {
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(one());
    return items;
  }

  /** A count of one byte, at most so many, and that many elements. */
  listUpTo<T>(most: number, one: () => T): T[] {
    const count = this.u8();
    if (count > most) throw new Unreadable(`${count} elements, at most ${most}`);
    return this.times(count, one);
  }

  /** hashes 1 ‖ hashes × 32 */
  path(): Buffer[] {
    return this.times(this.u8(), () => this.hash());
  }

  left(): number {
    return this.bytes.length - this.at;
  }

  end(): void {
    if (this.left() > 0) throw new Unreadable(`${this.left()} bytes left over`);
  }
}

/** All of the bytes, by one decoder. */
export function readAll<T>(bytes: Buffer, decode: (reader: Reader) => T): T {
  const reader = new Reader(bytes);
  const value = decode(reader);
  reader.end();
  return value;
}

/** The value, or undefined where the bytes cannot be decoded. */
export function ifReadable<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}
