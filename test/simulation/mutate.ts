/**
 * node dist/test/simulation/mutate.js [NAME…]: plants each mutant (or those whose names contain a word) into a
 * copy of what is compiled, and says after how many seeds the simulator found it. Exit code 1 when one survives.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTANTS, type Mutant } from './mutants.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SEEDS = 30;
const EPOCHS = 20;

export interface Outcome {
  /** Seeds until it was found; null when it survived. */
  readonly seeds: number | null;
  readonly found: string;
}

/** A copy of the compiled product that may be spoilt. */
function copyProduct(): string {
  const copy = mkdtempSync(join(tmpdir(), 'mutants-'));
  for (const folder of ['dist/src', 'dist/test', 'dist/bench', 'package.json'])
    cpSync(join(ROOT, folder), join(copy, folder), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Runs with the mutant planted. Throws when its text does not stand exactly once in its file. */
export function planted<T>(copy: string, { name, file, find, replace }: Mutant, run: () => T): T {
  const path = join(copy, 'dist/src', file);
  const text = readFileSync(path, 'utf8');
  const pieces = text.split(find);
  if (pieces.length !== 2) throw new Error(`${name}: stands ${pieces.length - 1} times in ${file}`);
  writeFileSync(path, pieces.join(replace));
  try {
    return run();
  } finally {
    writeFileSync(path, text);
  }
}

export function hunt(copy: string, mutant: Mutant): Outcome {
  return planted(copy, mutant, () => {
    const program = join(copy, 'dist/test/simulation/main.js');
    const args = [
      program,
      '--seed',
      String(mutant.seed ?? 1),
      '--seeds',
      String(SEEDS),
      '--processes',
      '1',
      '--epochs',
      String(mutant.epochs ?? EPOCHS),
    ];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status === 0) return { seeds: null, found: 'nothing' };
    const [, seed, found] = /seed (\d+) found:\n\s*(.*)/.exec(stdout) ?? [];
    if (!seed) throw new Error(`${mutant.name}: ${stdout}${stderr}`);
    return { seeds: Number(seed), found: found! };
  });
}

/** Each mutant with its outcome, as they come. */
export function* huntAll(mutants: readonly Mutant[]): Generator<{ mutant: Mutant; outcome: Outcome }> {
  const copy = copyProduct();
  try {
    for (const mutant of mutants) yield { mutant, outcome: hunt(copy, mutant) };
  } finally {
    rmSync(copy, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2);
  const chosen = MUTANTS.filter(
    ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
  );
  for (const { mutant, outcome } of huntAll(chosen)) {
    const { seeds, found } = outcome;
    console.log(
      `${seeds === null ? 'SURVIVED' : `seed ${seeds}`.padStart(8)}  ${mutant.name}: ${found.slice(0, 150)}`,
    );
    if (seeds === null) process.exitCode = 1;
  }
}
