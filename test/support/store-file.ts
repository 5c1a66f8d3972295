/** A store's file, and what it says of its length. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const fileOf = (data: string) => join(data, 'store', 'data.mdb');

/** Of the newer one of its heads. */
export function lastPage(file: string): number {
  const bytes = readFileSync(file);
  const heads = [0, 4096].map((at) => [152, 144].map((field) => Number(bytes.readBigUInt64LE(at + field))));
  return heads.sort(([a], [b]) => b! - a!)[0]![1]!;
}
