/**
 * Whether B is slower than A, from a few noisy runs of each. Pure: the seed decides what the bootstrap draws.
 *
 * Runs of A and B took turns, so run i of A and run i of B met the same machine: each pair gives one ratio, and a slow spell
 * that hits a whole pair leaves it as it is. The effect is the geometric mean of the ratios. Its interval is the
 * percentile bootstrap's over pairs, expanded as Hesterberg does for few samples (What Teachers Should Know About the
 * Bootstrap, 2015, section 4.1.4): plain percentiles are too narrow by √((n−1)/n) and know nothing of Student's t. At five pairs
 * it is about the range of the ratios (which holds the truth 94 times in 100), and fewer cannot give such an interval by any
 * resampling: then the answer is "cannot tell".
 */

import { randomFrom } from './random.js';

export const MIN_PAIRS = 5;
const RESAMPLES = 10_000;
/** Of a normal distribution: 95 % lie within so many deviations of the mean. */
const Z_95 = 1.959964;

/** `ratio` > 1: B is so many times as slow, or as expensive, as A; the truth is in [low, high] 95 times in 100. */
export interface Effect {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly pairs: number;
}

export type Verdict = 'slower' | 'not slower' | 'cannot tell';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What a run has no figure for is NaN, or null once it has been written. */
export const finite = (values: readonly number[]): number[] => values.filter(Number.isFinite);

export const spreadOf = (values: readonly number[]): Spread => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values),
});

const mean = (values: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
};

/** The 97.5 % quantile of Student's t (Abramowitz and Stegun 26.7.5; within 0.3 % from 4 degrees of freedom on). */
export function studentQuantile(freedom: number): number {
  const z = Z_95;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ];
  return terms.reduce((sum, term, i) => sum + term / freedom ** (i + 1), z);
}

/** The share of a normal distribution above x ≥ 0 (Abramowitz and Stegun 26.2.17; within 7.5e-8). */
export function normalTail(x: number): number {
  const t = 1 / (1 + 0.2316419 * x);
  const polynomial =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}

function resampledMeans(values: readonly number[], seed: number): Float64Array {
  const random = randomFrom(seed);
  const drawn = new Float64Array(values.length);
  const means = new Float64Array(RESAMPLES);
  for (let i = 0; i < RESAMPLES; i++) {
    for (let j = 0; j < drawn.length; j++) drawn[j] = values[Math.floor(random() * values.length)]!;
    means[i] = mean(drawn);
  }
  return means.sort();
}

/** `costs`: of A and of B, in turns, each the more the worse; all above 0. */
export function effectOf(a: readonly number[], b: readonly number[], seed: number): Effect {
  const pairs = Math.min(a.length, b.length);
  const logs = Array.from({ length: pairs }, (_, i) => Math.log(b[i]! / a[i]!));
  if (pairs === 0 || !logs.every(Number.isFinite))
    throw new RangeError('pairs of numbers above 0 are compared, at least one');
  const ratio = Math.exp(mean(logs));
  if (pairs < MIN_PAIRS) return { ratio, low: 0, high: Number.POSITIVE_INFINITY, pairs };
  const means = resampledMeans(logs, seed);
  const tail = normalTail(studentQuantile(pairs - 1) * Math.sqrt(pairs / (pairs - 1)));
  const at = Math.floor(tail * (RESAMPLES - 1));
  return { ratio, low: Math.exp(means[at]!), high: Math.exp(means[RESAMPLES - 1 - at]!), pairs };
}

/** `threshold` 0.05: up to 5 % slower is not called slower. Whatever the interval leaves open is not told. */
export function verdictOf({ low, high }: Effect, threshold: number): Verdict {
  if (low > 1 + threshold) return 'slower';
  return high <= 1 + threshold ? 'not slower' : 'cannot tell';
}
