/** What was handed over in moves about these epochs, opened for whose mailboxes are in them; some of it changed. */
import { idAt, idBytes } from '../../src/actors/ids.js';
import { keptHandOvers, openHandOver, readHandOver } from '../../src/actors/kept-hand-overs.js';
import type { StoreReader } from '../../src/actors/messages.js';
import type { Handing } from '../../src/protocol/index.js';
import type { OpenedHandOver } from '../../src/protocol/opened-hand-over.js';
import type { Identity } from '../../src/server/founding.js';
import type { Random } from './random.js';

/** Hand-overs at most that are shown together, and how many of them are changed. */
const MOST = 6;
const CHANGED = 2;

/** `epochs`, rising: also of the move that comes behind the last of them. */
export function handOversAbout(
  reader: StoreReader,
  { manifests }: Identity,
  epochs: readonly number[],
  mailboxes: readonly Uint8Array[],
  random: Random,
): OpenedHandOver[] {
  const behind = manifests.find(({ from }) => from > epochs.at(-1)!)?.from ?? 0;
  const isAbout = ({ version }: Handing) => {
    const { from } = manifests[version - 1]!;
    return from === behind || (from > epochs[0]! && from <= epochs.at(-1)!);
  };
  const some = [...keptHandOvers(reader)].filter(isAbout);
  while (some.length > MOST) some.splice(random.int(some.length), 1);
  const ids = [...new Set(mailboxes.map((each) => idAt(each, 0)))].map(idBytes);
  const shown = some.map((handing) => {
    const kept = readHandOver(reader, handing)!;
    const leaves = ids.flatMap((id) => openHandOver(reader, handing, kept, id) ?? []);
    const once = new Map(leaves.map((leaf) => [leaf.leafIndex, leaf]));
    const { signed, signatures } = kept;
    return { signed, ...signatures, leaves: [...once.values()] };
  });
  return [...shown, ...changed(shown, random)];
}

/** With one bit changed, with each other's signatures, with each other's leaves. */
function changed(shown: readonly OpenedHandOver[], random: Random): OpenedHandOver[] {
  if (shown.length === 0) return [];
  return Array.from({ length: CHANGED }, () => {
    const [one, other] = [random.pick(shown), random.pick(shown)];
    const signed = Uint8Array.from(one.signed);
    signed[random.int(signed.length)]! ^= 1 << random.int(8);
    const { from, to } = one;
    return random.pick([
      { ...one, signed },
      { ...one, from: to, to: from },
      { ...one, from: other.from, to: other.to },
      { ...one, leaves: other.leaves },
    ]);
  });
}
