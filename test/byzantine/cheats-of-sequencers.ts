/** How a sequencer cheats: in what it closes epochs with, in what it logs, in what it serves of its log. */
import { named } from '../worlds.js';
import { staleFor } from './cheats-of-outboxes.js';
import type { SequencerCheat } from './lenient-sequencer.js';
import type { Theatre } from './theatre.js';

/** All crash when they have signed an epoch that is not committed yet. Another message comes before it is closed again. */
export function crashAndSend(theatre: Theatre): void {
  theatre.crash();
  const { alice, bob, carol } = theatre.cast;
  theatre.send(alice, [bob, carol]);
}

const seq = { role: 'sequencer' } as const;

export const sequencers: readonly SequencerCheat[] = [
  {
    ...seq,
    name: 'log a false base',
    leaf: (leaf) => ({ ...leaf, base: { ...leaf.base, root: named('base') } }),
  },
  {
    ...seq,
    name: 'close on a false base',
    round: 3,
    context: (c) => ({ ...c, base: { ...c.base, root: named('base') } }),
  },
  {
    ...seq,
    name: 'close on a stale checkpoint',
    round: 3,
    context: (c, { checkpoints: [first] }) => ({ ...c, base: { size: first!.size, root: first!.root } }),
  },
  {
    ...seq,
    name: 'close by another manifest',
    context: (c) => ({ ...c, manifestHash: named('manifest') }),
  },
  {
    ...seq,
    name: 'close by another placement',
    context: (c) => ({ ...c, placementRoot: named('placement') }),
  },
  {
    ...seq,
    name: 'log a stale base',
    round: 3,
    leaf: (leaf, { checkpoints: [first] }) => ({ ...leaf, base: { size: first!.size, root: first!.root } }),
  },
  {
    ...seq,
    name: 'serve a stale checkpoint',
    round: 3,
    serves: staleFor,
  },
  {
    ...seq,
    name: 'log a base beyond the leaf',
    leaf: (leaf) => ({ ...leaf, base: { ...leaf.base, size: 7 } }),
  },
  { ...seq, name: 'log another placement', leaf: (leaf) => ({ ...leaf, placementRoot: named('placement') }) },
  { ...seq, name: 'log another manifest', leaf: (leaf) => ({ ...leaf, manifestHash: named('manifest') }) },
  { ...seq, name: 'omit a statement', leaf: (leaf) => ({ ...leaf, actors: leaf.actors - 1 }) },
  { ...seq, name: 'log a wrong previous epoch', leaf: (leaf) => ({ ...leaf, previousEpoch: 0 }) },
  { ...seq, name: 'log an epoch twice', round: 3, context: (c) => ({ ...c, epoch: c.epoch - 1 }) },
  {
    ...{ ...seq, name: 'alter a statement' },
    entries: ([first, ...rest]) => [
      { ...first!, bytes: Uint8Array.from([...first!.bytes.slice(0, -1), 1]) },
      ...rest,
    ],
  },
  {
    // Somebody was told of the epoch that the crash has taken away; what it logs in its place has another number.
    ...{ ...seq, name: 'sign twice after a restart', isHasty: true },
    before: crashAndSend,
  },
];
