/**
 * Heads: the newest checkpoints that two clients know, and whether they are of one log. Both ask the server, without a session,
 * for what leads from the smaller to the larger, and show each other the answer: a server that keeps them in two worlds has
 * signed both heads, and whoever has the larger one is given by it what the other is convicted with.
 */

import { verifierOf } from '#crypto';
import {
  actorKey,
  type Base,
  type Checkpoint,
  checkpointText,
  getU64,
  HASH_BYTES,
  isOneLog,
  isPowerOfTwo,
  ROLE,
  Writer,
} from '../protocol/index.js';
import type { Accusation } from './accusing.js';
import { askForProof } from './asking.js';
import { ComparisonError } from './comparison-error.js';
import { judging } from './judging.js';
import type { World } from './world.js';

/** Size 8 ‖ root 32 ‖ signature 64. */
export const HEAD_BYTES = 104;

export function headOf({ size, root, signature }: Checkpoint): Uint8Array {
  return new Writer(HEAD_BYTES).u64(size).bytes(root).bytes(signature).done();
}

export const sizeOf = (head: Uint8Array): number => getU64(head, 0);

const baseOf = (head: Uint8Array): Base => ({ size: sizeOf(head), root: head.subarray(8, 8 + HASH_BYTES) });

/** What a server has given, packed; empty where it gave none. */
export interface Proofs {
  /** The consistency proof from the smaller head to the larger. */
  readonly proof: Uint8Array;
  /** From one leaf more, where the smaller size is a power of two: then the first has not the root that the larger log had there, and this has. */
  readonly beside: Uint8Array;
}

/** What the two know. */
export interface Heads {
  readonly own: Uint8Array;
  readonly others: Uint8Array;
  /** That either was given. */
  readonly proofs: readonly Uint8Array[];
}

/** Whether there is anything to prove: two sizes, and no log that is still empty. */
export function areApart(own: Uint8Array, others: Uint8Array): boolean {
  return sizeOf(own) !== sizeOf(others) && sizeOf(own) > 0 && sizeOf(others) > 0;
}

export function areOfOneLog({ own, others, proofs }: Heads): boolean {
  const [one, other] = [baseOf(own), baseOf(others)];
  if (one.size === 0 || other.size === 0) return true;
  return [...proofs, new Uint8Array(0)].some((proof) => isOneLog(one, other, proof));
}

/** What the server proves between two heads that are apart. */
export async function proofsFrom(
  http: string,
  own: Uint8Array,
  others: Uint8Array,
  signal: AbortSignal,
): Promise<Proofs> {
  const [from, to] = [sizeOf(own), sizeOf(others)].sort((a, b) => a - b) as [number, number];
  const ask = (size: number) => askForProof(http, size, to, signal);
  const isHidden = isPowerOfTwo(from) && from + 1 < to;
  return { proof: await ask(from), beside: isHidden ? await ask(from + 1) : new Uint8Array(0) };
}

/**
 * Rejects with `ComparisonError` (`unknown-checkpoint`) unless the other's head is signed by a sequencer that is known here. Its
 * manifest may be newer: `catchUp` asks the server for what it names the newest with.
 */
export async function checkSigned(
  head: Uint8Array,
  world: World,
  catchUp: () => Promise<void>,
): Promise<void> {
  if (await isSigned(head, world)) return;
  await catchUp().catch(() => {});
  if (await isSigned(head, world)) return;
  const text = `a checkpoint of ${sizeOf(head)} epochs that no known sequencer has signed`;
  throw new ComparisonError('unknown-checkpoint', text);
}

async function isSigned(head: Uint8Array, { manifests, serverId }: World): Promise<boolean> {
  const { size, root } = baseOf(head);
  if (size === 0) return true;
  const text = checkpointText(serverId, size, root);
  for (const { manifest } of manifests) {
    const key = verifierOf(actorKey(manifest, ROLE.sequencer, 0));
    if (await key.verify(text, head.subarray(8 + HASH_BYTES))) return true;
  }
  return false;
}

/** Evidence of two heads that are not shown to be of one log; null when nothing is proven. */
export async function accuseOf({ own, others, proofs }: Heads, world: World): Promise<Accusation | null> {
  const { accuseOfHeads } = await judging.get();
  const { manifests, manifest, serverId } = world;
  return accuseOfHeads(own, others, proofs, manifests, serverId, manifest.rootKey);
}
