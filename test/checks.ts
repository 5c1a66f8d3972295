/** Random values, and what every encoder and decoder is held to. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { FormatError } from '../src/protocol/bytes.js';
import * as twin from './twin/index.js';
import { keyPair } from './worlds.js';

export function same(actual: Uint8Array, expected: Uint8Array, what = 'bytes'): void {
  assert.is(twin.hex(actual), twin.hex(expected), what);
}

export function refused(run: () => unknown, what = 'bad input'): void {
  assert.throws(run, (error: unknown) => error instanceof FormatError, what);
}

export const bytesUpTo = (most: number, least = 0): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((b) => Buffer.from(b));
export const bytes = (length: number) => bytesUpTo(length, length);
export const hash = bytes(32);
export const u8 = fc.nat(0xff);
export const u16 = fc.oneof(fc.nat(3), fc.nat(0xffff), fc.constant(0xffff));
export const u32 = fc.oneof(fc.nat(3), fc.nat(0xffffffff), fc.constant(0xffffffff));
/** Up to 2^53 − 1, the most that the fast code represents. */
export const u64 = fc.oneof(
  fc.bigInt(0n, 3n),
  fc.bigInt(0n, 2n ** 53n - 1n),
  fc.bigInt(2n ** 32n - 2n, 2n ** 32n + 2n),
  fc.constant(2n ** 53n - 1n),
);
export const key = fc.nat(30).map((n) => keyPair(`key ${n}`).id);
export const place = fc.record({ epoch: u64, inbox: u16, index: u32 });
export const fastPlace = (p: twin.Place) => ({ ...p, epoch: Number(p.epoch) });
export const base = fc.record({ size: u64, root: hash });
export const fastBase = (b: twin.Base) => ({ size: Number(b.size), root: b.root });
export const change = fc.record({ at: fc.nat(), xor: fc.integer({ min: 1, max: 255 }) });

/**
 * One value, one encoding: what decodes encodes to the same bytes; one byte more or less is refused;
 * a changed byte is refused or is another value whose one encoding it is.
 */
export function checkCodec<T>(
  encoded: Uint8Array,
  decode: (bytes: Uint8Array) => T,
  encode: (value: T) => Uint8Array,
  changes: { at: number; xor: number }[],
): void {
  same(encode(decode(encoded)), encoded, 'decoded and encoded again');
  refused(() => decode(twin.join(encoded, twin.u8(0))), 'a trailing byte');
  refused(() => decode(encoded.subarray(0, -1)), 'a byte cut off');
  refused(() => decode(new Uint8Array(0)), 'no byte at all');
  for (const { at, xor } of changes) {
    const changed = Uint8Array.from(encoded);
    changed[at % changed.length]! ^= xor;
    try {
      same(encode(decode(changed)), changed, 'another value');
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
}
