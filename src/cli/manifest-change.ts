/** What `keys rotate` and `actors` have in common: they write a next version of the manifest of a server that is stopped. */
import type { ManifestChange, Watching } from '../server/manifest-change.js';
import { type Option, type OptionValues, UsageError } from './command.js';
import { progressOn, shownBy } from './progress.js';

export const DATA: Option = { type: 'string', value: 'DIR', about: 'data directory of the server' };

/** Throws `UsageError` without `--data`. */
export function dataOf(values: OptionValues): string {
  const data = values['data'] as string | undefined;
  if (data === undefined) throw new UsageError('--data: expected the data directory');
  return data;
}

/** With a progress bar, but where a program reads what is printed. */
export function showing<T>(json: boolean, change: (watching: Watching) => Promise<T>): Promise<T> {
  const progress = progressOn(process.stderr, !json, () => {});
  return change({ progress: shownBy(progress) }).finally(progress.stop);
}

export function sayVersion(
  say: (line: string) => void,
  { version, manifestHash, firstEpoch }: ManifestChange,
): void {
  say(`manifest  version ${version}, ${manifestHash}`);
  say(`in force  from epoch ${firstEpoch}`);
}
