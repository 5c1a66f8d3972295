/** Two sides of pairs of runs to compare. */
import { join } from 'node:path';
import type { RunResult } from '../../bench/result.js';
import { directory } from '../client-helpers.js';
import { bench } from './bench.js';
import { madeRun, writeRuns } from './runs.js';

type Wanted = Parameters<typeof madeRun>[0];

/** Pair i began at i · 20 s, B 10 s after A; every run differs a little from the one before. */
export function side(name: 'A' | 'B', pairs: number, slower: number, wanted: Wanted = {}): RunResult[] {
  return Array.from({ length: pairs }, (_, i) => {
    const wobble = 1 + 0.004 * Math.sin(i * 2.4 + (name === 'B' ? 1 : 0));
    const spell = i === 2 ? 2 : 1;
    const level = slower * wobble * spell;
    const run = { perSecond: 101_000 / level, cpu: 8 * level, p50Ms: 40 * level };
    return madeRun({ ...run, at: i * 20 + (name === 'B' ? 10 : 0), ...wanted });
  });
}

export async function compared(a: Parameters<typeof writeRuns>[1], b: typeof a, ...more: string[]) {
  const root = directory('bench-compare');
  return bench(['compare', writeRuns(join(root, 'a'), a), writeRuns(join(root, 'b'), b), ...more]);
}
