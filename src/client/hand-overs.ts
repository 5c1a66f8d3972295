/** What a client asks for of ids that were moved, and what shows that it is of the log that it knows. */
import {
  decodeClaim,
  decodeHandOver,
  decodeOpenedHandOver,
  inOrder,
  placementOf,
} from '../protocol/index.js';
import { askForProof } from './asking.js';
import type { World } from './world.js';

/** Moves that are asked about. */
const MOST_MOVES = 8;
const MOST_PROOFS = 16;

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

/**
 * The consistency proofs between the logs of hand-overs and of claims, by their sizes, as far as the server tells. Whatever it
 * tells: only what leads from the one to the other proves anything.
 */
export async function proofsOf(
  http: string,
  handOvers: readonly Uint8Array[],
  claims: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<(from: number, to: number) => Uint8Array | undefined> {
  const logs = handOvers.map((each) => decodeHandOver(decodeOpenedHandOver(each).signed).log.size);
  const others = claims.map((claim) => decodeClaim(claim).checkpoint.size);
  const proofs = new Map<string, Uint8Array>();
  const pairs = logs.flatMap((a) => others.map((b) => [Math.min(a, b), Math.max(a, b)] as const));
  for (const [from, to] of pairs) {
    const key = `${from} ${to}`;
    if (proofs.has(key) || proofs.size === MOST_PROOFS) continue;
    proofs.set(key, await askForProof(http, from, to, signal));
  }
  return (from, to) => proofs.get(`${from} ${to}`);
}
