/**
 * SHA-256 (FIPS 180-4) of bytes that lie in memory whole, for platforms that have it for later only. Our own,
 * because it hashes in place and leaves no garbage, which a library for streams and for every hash does not, and
 * because that is four times the size in a browser. Not reentrant: nothing interrupts it.
 */
/** Constants of the rounds, and what the state is at first. */
export const K = new Int32Array(64);
export const INITIAL = new Int32Array(8);
const state = new Int32Array(8);
const words = new Int32Array(64);
/** The end of a message with its padding: one block or two. */
const tail = new Uint8Array(128);

/** The first 32 bits of a root's fraction. Of a double's 53 bits that leaves 18: no platform is off by so much. */
const fraction = (root: number) => (root % 1) * 2 ** 32;

// §4.2.2, §5.3.3: the constants are roots of the first primes.
for (let n = 0, p = 2; n < 64; p++) {
  let divisor = 2;
  while (p % divisor > 0) divisor++;
  if (divisor < p) continue;
  if (n < 8) INITIAL[n] = fraction(Math.sqrt(p));
  K[n++] = fraction(Math.cbrt(p));
}

const rotate = (x: number, by: number) => (x >>> by) | (x << (32 - by));

/** §6.2.2, over the blocks in [at, end). */
function compress(bytes: Uint8Array, at: number, end: number): void {
  for (; at < end; at += 64) {
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let t = 0; t < 64; t++) {
      if (t < 16) {
        const i = at + 4 * t;
        words[t] = (bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!;
      } else {
        const x = words[t - 15]!;
        const y = words[t - 2]!;
        const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
        const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
        words[t] = words[t - 16]! + s0 + words[t - 7]! + s1;
      }
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const one = (h + s1 + ((e & f) ^ (~e & g)) + K[t]! + words[t]!) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const two = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    state[0]! += a;
    state[1]! += b;
    state[2]! += c;
    state[3]! += d;
    state[4]! += e;
    state[5]! += f;
    state[6]! += g;
    state[7]! += h;
  }
}

function putWord(out: Uint8Array, at: number, word: number): void {
  out[at] = word >>> 24;
  out[at + 1] = word >>> 16;
  out[at + 2] = word >>> 8;
  out[at + 3] = word;
}

/** SHA-256 of `data`, written into `out` at `offset` (32 bytes), which may lie in `data`. */
export function sha256Into(data: Uint8Array, out: Uint8Array, offset: number): void {
  const { length } = data;
  const whole = length - (length % 64);
  const end = length % 64 < 56 ? 64 : 128;
  state.set(INITIAL);
  compress(data, 0, whole);
  tail.fill(0);
  for (let i = whole; i < length; i++) tail[i - whole] = data[i]!;
  tail[length - whole] = 0x80;
  putWord(tail, end - 8, length / 2 ** 29);
  putWord(tail, end - 4, length * 8);
  compress(tail, 0, end);
  for (let i = 0; i < 8; i++) putWord(out, offset + 4 * i, state[i]!);
}
