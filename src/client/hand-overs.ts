/** What a client asks for of ids that were moved. */
import { inOrder, placementOf } from '../protocol/index.js';
import type { World } from './world.js';

/** Moves that are asked about. */
const MOST_MOVES = 8;

/** From which epochs on a mailbox has been at another outbox, behind this epoch. */
export function movesOf({ manifests, serverId }: World, mailbox: Uint8Array, epoch: number): number[] {
  const outboxes = inOrder(manifests).map(({ manifest, from }) => {
    return { from, outbox: placementOf(manifest, serverId, mailbox).outbox };
  });
  return outboxes
    .filter(({ from, outbox }, i) => from > epoch && i > 0 && outboxes[i - 1]!.outbox !== outbox)
    .map(({ from }) => from)
    .slice(0, MOST_MOVES);
}
