/** A seed is run twice: what it found, in words, and how to see it again. */
import { type RunOptions, type RunResult, simulate } from './simulation.js';

export interface Report {
  readonly result: RunResult;
  /** Null when nothing was found. */
  readonly failure: string | null;
}

export async function simulateTwice(seed: number, options: RunOptions): Promise<Report> {
  const result = await simulate(seed, options);
  const again = await simulate(seed, options);
  const problems = [...result.problems];
  if (again.digest !== result.digest)
    problems.push(
      `the same seed ran differently: ${result.digest} in ${result.events} events, ${again.digest} in ${again.events}`,
    );
  return { result, failure: problems.length > 0 ? describe(result, problems, options) : null };
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
