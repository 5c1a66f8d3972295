/** `npm run simulate:mutants`: whether the simulator finds faults that are planted into a copy of what is compiled. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments, refuse } from '../../bench/arguments.js';
import { MUTANTS, type Mutant } from './mutants.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SEEDS = 100;
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

/** Seeds from `first` on, of those in which the mutant can show. */
function hunt(copy: string, mutant: Mutant, first: number): Outcome {
  return planted(copy, mutant, () => {
    const program = join(copy, 'dist/test/simulation/main.js');
    const bounds = ['--seed', String(first), '--seeds', String(SEEDS), '--epochs', String(EPOCHS)];
    const args = [program, ...bounds, '--processes', '1', '--only', (mutant.only ?? []).join(',')];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status === 0) return { seeds: null, found: 'nothing' };
    const [, found, seeds] = /seed \d+ found:\n\s*(.*)[\s\S]*\n(\d+) seeds, each twice/.exec(stdout) ?? [];
    if (!seeds) throw new Error(`${mutant.name}: ${stdout}${stderr}`);
    return { seeds: Number(seeds), found: found! };
  });
}

/** Each mutant with its outcome, as they come. */
export function* huntAll(
  mutants: readonly Mutant[],
  first = 1,
): Generator<{ mutant: Mutant; outcome: Outcome }> {
  const copy = copyProduct();
  try {
    for (const mutant of mutants) yield { mutant, outcome: hunt(copy, mutant, first) };
  } finally {
    rmSync(copy, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const USAGE = `Usage: npm run simulate:mutants -- [--seed N] [WORD…]

Plants small faults, or those whose names contain a word, one at a time, and prints after how many seeds of
${SEEDS} the simulator found each. Exit code 1: one was not found.

  --seed N  the first seed: 1`;
  const { values, positionals: words } = readArguments(USAGE, {
    options: { seed: { type: 'string', default: '1' } },
    allowPositionals: true,
  });
  if (!/^\d{1,12}$/.test(values.seed)) refuse(USAGE, `--seed: expected a whole number, got ${values.seed}`);
  const isChosen = ({ name }: Mutant) => words.length === 0 || words.some((word) => name.includes(word));
  for (const { mutant, outcome } of huntAll(MUTANTS.filter(isChosen), Number(values.seed))) {
    const { seeds, found } = outcome;
    const after = seeds === null ? 'SURVIVED' : `${seeds} seeds`.padStart(8);
    console.log(`${after}  ${mutant.name}: ${found.slice(0, 150)}`);
    if (seeds === null) process.exitCode = 1;
  }
}
