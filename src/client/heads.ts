/**
 * Heads: the newest checkpoints that two clients know, and whether they are of one log. Both ask the server, without a session,
 * for what leads from the smaller to the larger, and show each other the answer: a server that keeps them in two worlds has
 * signed both heads, and whoever has the larger one is given by it what the other is convicted with.
 */

import { type Base, type Checkpoint, getU64, HASH_BYTES, Writer } from '../protocol/index.js';
import { type Accusation, judging } from './accusing.js';
import { isSameLog } from './anchor-check.js';
import { askForProof } from './asking.js';
import { ComparisonError } from './comparison-error.js';
import type { World } from './world.js';

/** Size 8 ‖ root 32 ‖ signature 64. */
export const HEAD_BYTES = 104;

export function headOf({ size, root, signature }: Checkpoint): Uint8Array {
  return new Writer(HEAD_BYTES).u64(size).bytes(root).bytes(signature).done();
}

export const sizeOf = (head: Uint8Array): number => getU64(head, 0);

const baseOf = (head: Uint8Array): Base => ({ size: sizeOf(head), root: head.subarray(8, 8 + HASH_BYTES) });

/** What the two know. */
export interface Heads {
  readonly own: Uint8Array;
  readonly others: Uint8Array;
  /** What the server gave to each as the consistency proof between them, packed; empty where it gave none. */
  readonly proofs: readonly Uint8Array[];
}

/** Whether there is anything to prove: two sizes, and no log that is still empty. */
export function areApart(own: Uint8Array, others: Uint8Array): boolean {
  return sizeOf(own) !== sizeOf(others) && sizeOf(own) > 0 && sizeOf(others) > 0;
}

export function areOfOneLog({ own, others, proofs }: Heads): boolean {
  const [one, other] = [baseOf(own), baseOf(others)];
  if (one.size === 0 || other.size === 0) return true;
  return [...proofs, new Uint8Array(0)].some((proof) => isSameLog(one, other, proof));
}

/** What the server gives as the proof between two heads; see `askForProof`. */
export function proofFrom(
  http: string,
  own: Uint8Array,
  others: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const [from, to] = [sizeOf(own), sizeOf(others)].sort((a, b) => a - b);
  return askForProof(http, from!, to!, signal);
}

/**
 * Evidence of two heads that are not shown to be of one log; null when nothing is proven. Rejects with `ComparisonError`
 * (`malformed`) when the other's is not signed by a sequencer that is known here.
 */
export async function accuseOf({ own, others, proofs }: Heads, world: World): Promise<Accusation | null> {
  const { accuseOfHeads } = await judging.get();
  const { manifests, manifest, serverId } = world;
  try {
    return accuseOfHeads(own, others, proofs, manifests, serverId, manifest.rootKey);
  } catch (cause) {
    throw new ComparisonError('malformed', `of the other's checkpoint: ${cause}`, { cause });
  }
}
