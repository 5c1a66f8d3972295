/** Samples whose truth is known. */
import { randomFrom } from '../../bench/random.js';
import { type Effect, effectOf, type Verdict, verdictOf } from '../../bench/statistics.js';

export const seed = Number(process.env['SEED'] ?? 1);
const TRIALS = 150;

/** Normal, by Box and Muller. */
export function noiseFrom(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** What `pairs` runs of each cost in turns, on a machine whose slow spells hit both of a pair. */
export function runsOf(noise: () => number, pairs: number, truth: number, deviation: number) {
  const spells = Array.from({ length: pairs }, () => Math.exp(0.3 * noise()));
  const costs = (level: number) => spells.map((spell) => level * spell * Math.exp(deviation * noise()));
  return [costs(10), costs(10 * truth)] as const;
}

interface Outcome {
  readonly effect: Effect;
  readonly verdict: Verdict;
}

export function outcomes(pairs: number, truth: number, deviation: number, threshold: number): Outcome[] {
  const noise = noiseFrom(randomFrom(seed));
  return Array.from({ length: TRIALS }, (_, trial) => {
    const effect = effectOf(...runsOf(noise, pairs, truth, deviation), trial);
    return { effect, verdict: verdictOf(effect, threshold) };
  });
}

export const share = (all: readonly Outcome[], holds: (one: Outcome) => boolean) =>
  all.filter(holds).length / all.length;
export const says = (verdict: Verdict) => (one: Outcome) => one.verdict === verdict;
