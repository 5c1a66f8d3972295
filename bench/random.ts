/** Chance that a seed repeats: xoshiro128** (Blackman and Vigna), seeded by murmur3's finaliser over a counter. */

/** From 0 (included) to 1 (excluded), 53 bits. */
export type Random = () => number;

/** Avalanches 32 bits (murmur3's finaliser). */
export function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Sequences of different `parts` (32-bit integers) have nothing to do with each other. */
export function randomFrom(...parts: readonly number[]): Random {
  let state = 0x9e3779b9;
  for (const part of parts) state = mix(Math.imul(state, 31) + part);
  const word = () => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state);
  };
  let [a, b, c, d] = [word(), word(), word(), word()];
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
    return result;
  };
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}

const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by));
