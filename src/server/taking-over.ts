/**
 * What new actors begin with, held against what old ones have handed over (handing-over.ts): by the move before new ones sign
 * it, and by each start until an epoch is committed behind it. States and leaves are read once, side by side. Memory: a block of
 * leaves and the roots of all blocks, for each two actors.
 */
import { trustedPublicKey } from '#crypto';
import {
  BLOCK,
  blockRoot,
  handOverKey,
  type KeptHandOver,
  readHandOver,
  type Side,
} from '../actors/kept-hand-overs.js';
import {
  actorKey,
  compareBytes,
  decodeHandOver,
  EMPTY_ROOT,
  equalBytes,
  FormatError,
  HANDED_BYTES,
  HANDING_ROLES,
  HASH_BYTES,
  type Handing,
  type HandOver,
  handings,
  inForceFrom,
  merkleRoot,
  placesAlike,
  ROLE,
  sameBytes,
} from '../protocol/index.js';
import type { Identity } from './founding.js';
import {
  type Committed,
  committedIn,
  differs,
  type Moving,
  movedIds,
  pairOf,
  type TellProgress,
  type Versions,
} from './moved-ids.js';
import { type RecoveryStore, recoverLog } from './recovery.js';

const LEAVES_OUT = 'it leaves ids out';
const HAS_MORE = 'it has more ids';

/** Before anything goes on from there: every version that places ids elsewhere and under which no epoch is committed. Throws as `checkHandOvers`. */
export function checkTakenOver(
  store: RecoveryStore,
  { serverId, manifests }: Identity,
  progress: TellProgress = () => {},
): void {
  const { lastEpoch } = recoverLog(store);
  for (const [i, { manifest: next, hash: nextHash, from }] of manifests.entries()) {
    const before = manifests[i - 1]?.manifest;
    if (!before || from <= lastEpoch || placesAlike(before, next)) continue;
    checkHandOvers({ serverId, before, next, nextHash, store, progress }, ['from', 'to']);
  }
}

/**
 * Signatures of these sides, and that leaves are what is stored of all who go from the one to the other, in their order. To be
 * done while no epoch is committed since. Throws `OperatorError` `hand-over-differs`.
 */
export function checkHandOvers(work: Moving, sides: readonly Side[]): void {
  const { store } = work;
  const committed = committedIn(store);
  const all = handings(work.before, work.next);
  for (const role of HANDING_ROLES) {
    const of = all.filter((handing) => handing.role === role);
    const made = new Map(
      of.map((handing) => {
        const kept = readHandOver(store, handing);
        const said = checkStatement(work, committed, handing, kept, sides);
        return [pairOf(handing), new KeptLeaves(store, handing, said.leaves, kept!.blockRoots)];
      }),
    );
    for (const moved of movedIds(work, role, 'checking moved')) made.get(pairOf(moved))!.expect(moved.kept);
    for (const leaves of made.values()) leaves.end();
  }
}

/** The statement is of this move and these actors, signed, and of these blocks. */
function checkStatement(
  { serverId, before, next, nextHash }: Versions,
  { log, lastEpoch }: Committed,
  handing: Handing,
  kept: KeptHandOver | undefined,
  sides: readonly Side[],
): HandOver {
  const { role, from, to } = handing;
  const said = kept && decodedOrNull(kept.signed);
  if (!kept || !said) throw differs(handing, 'there is none');
  const isOf =
    equalBytes(said.serverId, serverId) &&
    equalBytes(said.manifestHash, nextHash) &&
    equalBytes(said.placementRoot, EMPTY_ROOT) &&
    said.role === role &&
    said.from === from &&
    said.to === to &&
    said.log.size === log.size &&
    equalBytes(said.log.root, log.root) &&
    said.lastEpoch === lastEpoch &&
    lastEpoch < inForceFrom(next);
  if (!isOf) throw differs(handing, 'it is of another move');
  const keys = { from: actorKey(before, role, from), to: actorKey(next, role, to) };
  for (const side of sides)
    if (!trustedPublicKey(keys[side]).verify(kept.signed, kept.signatures[side]))
      throw differs(
        handing,
        `${role === ROLE.inbox ? 'inbox' : 'outbox'} ${handing[side]} has not signed it`,
      );
  if (kept.blockRoots.length !== Math.ceil(said.leaves / BLOCK) * HASH_BYTES)
    throw differs(handing, 'it has another number of leaves');
  if (!equalBytes(merkleRoot(kept.blockRoots), said.root)) throw differs(handing, 'its root is another one');
  return said;
}

function decodedOrNull(signed: Uint8Array): HandOver | null {
  try {
    return decodeHandOver(signed);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

/** Leaves of one hand-over as they are stored, in their order. */
class KeptLeaves {
  private block: Uint8Array = new Uint8Array(0);
  /** Of the next leaf in the block. */
  private at = 0;
  private blocks = 0;

  /** `left`: leaves that have not been read. */
  constructor(
    private readonly store: RecoveryStore,
    private readonly handing: Handing,
    private left: number,
    private readonly blockRoots: Uint8Array,
  ) {}

  /** The next one must be this. */
  expect(kept: Uint8Array): void {
    if (this.at === this.block.length) this.read();
    const { block, at } = this;
    if (!sameBytes(block, at, kept, 0, kept.length)) {
      const order = compareBytes(block, at, kept, 0, 32);
      if (order === 0) throw differs(this.handing, 'an id begins with another state');
      throw differs(this.handing, order > 0 ? LEAVES_OUT : HAS_MORE);
    }
    this.at += kept.length;
  }

  /** There must be no other. */
  end(): void {
    if (this.left > 0 || this.at < this.block.length) throw differs(this.handing, HAS_MORE);
  }

  private read(): void {
    const { handing, left, blocks, blockRoots } = this;
    const count = Math.min(left, BLOCK);
    if (count === 0) throw differs(handing, LEAVES_OUT);
    const block = this.store.get(handOverKey(handing, blocks));
    const root = blockRoots.subarray(blocks * HASH_BYTES, (blocks + 1) * HASH_BYTES);
    const isWhole = block?.length === count * HANDED_BYTES[handing.role];
    if (!isWhole || !equalBytes(blockRoot(handing.role, block), root))
      throw differs(handing, 'its leaves are others');
    this.block = block;
    this.at = 0;
    this.blocks++;
    this.left -= count;
  }
}
