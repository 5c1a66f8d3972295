/** A seed is run twice: what it found, in words, and how to see it again. */
import { type RunCounts, type RunOptions, type RunResult, simulate } from './simulation.js';

export interface Report {
  readonly result: RunResult;
  /** Null when nothing was found. */
  readonly failure: string | null;
}

/** What is kept of a seed. */
export interface Kept {
  readonly seed: number;
  /** The epochs that were asked for, which a run is a function of as well. */
  readonly asked: number;
  readonly digest: string;
  readonly counts: RunCounts;
  readonly failure: string | null;
}

/** The second run is compared, not checked: the digest is over everything that checks read. */
export async function simulateTwice(seed: number, options: RunOptions): Promise<Report> {
  const result = await simulate(seed, options);
  const again = await simulate(seed, { ...options, isRepeat: true });
  const problems = [...result.problems];
  if (again.digest !== result.digest)
    problems.push(
      `the same seed ran differently: ${result.digest} in ${result.counts.events} events, ${again.digest} in ${again.counts.events}`,
    );
  return { result, failure: problems.length > 0 ? describe(result, problems, options) : null };
}

export async function keep(seed: number, options: RunOptions): Promise<Kept> {
  const { result, failure } = await simulateTwice(seed, options);
  return { seed, asked: options.epochs, digest: result.digest, counts: result.counts, failure };
}

function describe(
  { seed, lastLines }: RunResult,
  problems: readonly string[],
  { epochs, vectors }: RunOptions,
): string {
  return [
    ...lastLines,
    `seed ${seed} found:`,
    ...problems.map((problem) => `  ${problem}`),
    `again: npm run simulate -- --seed ${seed} --epochs ${epochs}${vectors ? ' --vectors' : ''}`,
  ].join('\n');
}
