/** Our SHA-256 against node:crypto, noble and the standard's vectors, and its constants in exact arithmetic. */
import { createHash, randomBytes } from 'node:crypto';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sha256, sha256Into } from '../src/crypto/hash.js';

const test = suite('sha256');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const expected = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

test('the vectors of FIPS 180-4 and of NIST', () => {
  const vectors = [
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
    ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
  ] as const;
  for (const [text, digest] of vectors) assert.is(hex(sha256(Buffer.from(text))), digest);
});

test('every length up to 300, and long ones, as node:crypto and noble have it', () => {
  const lengths = [...Array(301).keys(), 1000, 4095, 65_535, 65_536, 1_000_003];
  for (let i = 0; i < 40; i++) lengths.push(randomBytes(3).readUIntBE(0, 3) % 200_000);
  for (const length of lengths) {
    const data = new Uint8Array(randomBytes(length));
    const digest = hex(sha256(data));
    assert.is(digest, expected(data), `${length} bytes`);
    assert.is(digest, hex(nobleSha256(data)), `${length} bytes`);
  }
});

test('it writes where it is told, in place too, and nowhere else', () => {
  const data = new Uint8Array(randomBytes(200));
  const out = new Uint8Array(50).fill(7);
  sha256Into(data.subarray(3, 150), out, 9);
  assert.is(hex(out), `${'07'.repeat(9)}${expected(data.subarray(3, 150))}${'07'.repeat(9)}`);
  const digest = expected(data);
  sha256Into(data, data, 100);
  assert.is(hex(data.subarray(100, 132)), digest);
});

/** Math.cbrt and Math.sqrt need not be exact: the constants are right wherever roots are off by less than 2^-43. */
test('no constant lies where a root that is a little off would change it', () => {
  const root = (n: bigint, power: bigint) => {
    let low = 0n;
    for (let bit = 1n << 90n; bit > 0n; bit >>= 1n) if ((low + bit) ** power <= n) low += bit;
    return low;
  };
  const primes = [...Array(312).keys()].filter(
    (p) => p > 1 && ![...Array(p).keys()].slice(2).some((d) => p % d === 0),
  );
  assert.is(primes.length, 64);
  for (const p of primes) {
    // The 14 bits behind the 32 that count.
    const behind = Number(root(BigInt(p) << (46n * 3n), 3n) & 0x3fffn);
    assert.ok(behind > 8 && behind < 0x3fff - 8, `${p}: ${behind}`);
  }
});

test.run();
