/**
 * `countersign demo --cheat`: a cheating actor, and how it is found out. What cheats is part of the tests and never of
 * the product, so that this works in a checkout of the repository alone.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../../server/operator-error.js';
import { type Call, UsageError } from '../command.js';
import { writeNew } from '../files.js';

interface Plays {
  readonly NAMES: readonly string[];
  show(name: string): {
    readonly lines: readonly string[];
    readonly evidence: Uint8Array | null;
    readonly verdict: string | null;
    readonly serverId: string;
    readonly rootKey: string;
  } | null;
}

export async function showCheat(name: string, { say }: Pick<Call, 'say'>): Promise<object> {
  const { NAMES, show } = await plays();
  const shown = show(name);
  if (!shown) throw new UsageError(`--cheat: expected one of\n  ${NAMES.join('\n  ')}`);
  for (const line of shown.lines) say(line);
  const { lines, evidence, verdict, serverId, rootKey } = shown;
  const told = { cheat: name, lines, verdict };
  if (!evidence) return { ...told, evidence: null };
  const file = join(await mkdtemp(join(tmpdir(), 'countersign-cheat-')), 'evidence');
  await writeNew(file, evidence);
  say('');
  say('The evidence is in a file, which anybody can judge:');
  say(`  countersign verify ${file} --server ${serverId} --root ${rootKey}`);
  return { ...told, evidence: file, serverId, rootKey };
}

async function plays(): Promise<Plays> {
  const file = new URL('../../../test/byzantine/show.js', import.meta.url);
  try {
    return (await import(file.href)) as Plays;
  } catch (cause) {
    throw new OperatorError(
      'no-cheats',
      `${file.pathname} cannot be loaded: ${(cause as Error).message}`,
      'Cheating actors are not part of the package: run it in a checkout of the repository, after npm run build.',
    );
  }
}
