/**
 * What actors hand over when a next version of the manifest places ids elsewhere: each old one signs what it knows of them,
 * and each new one, once it has held that against what is stored and it begins with (taking-over.ts). In the transaction that
 * writes the manifest, so it is made once, and durable before anybody sees it. Memory: a block of leaves and 32 bytes for each
 * block before it, for each two actors.
 */
import type { Signer } from '#crypto';
import {
  BLOCK,
  blockRoot,
  handOverKey,
  handOverRecord,
  type KeptHandOver,
  keptHandOvers,
  readHandOver,
} from '../actors/kept-hand-overs.js';
import type { StoreRecord } from '../actors/messages.js';
import {
  concat,
  decodeHandOver,
  EMPTY_ROOT,
  encodeHandOver,
  HANDING_ROLES,
  HASH_BYTES,
  type Handing,
  handings,
  merkleRoot,
  SIGNATURE_BYTES,
} from '../protocol/index.js';
import type { Slot } from './manifest-change.js';
import { type Committed, committedIn, type Moving, movedIds, pairOf } from './moved-ids.js';
import { checkHandOvers } from './taking-over.js';

export interface HandingOver extends Moving {
  readonly write: (record: StoreRecord) => void;
  readonly signerBefore: (slot: Slot) => Signer;
  readonly signerAfter: (slot: Slot) => Signer;
}

/** States are as of the last epoch (moving.ts). Throws `OperatorError` `hand-over-differs`. */
export function handOver(work: HandingOver): void {
  const { store, write, signerAfter } = work;
  const committed = committedIn(store);
  forget(work, committed);
  const all = handings(work.before, work.next);
  for (const role of HANDING_ROLES) {
    const of = all.filter((handing) => handing.role === role);
    const made = new Map(of.map((handing) => [pairOf(handing), new Leaves(handing, write)]));
    for (const moved of movedIds(work, role, 'handing over')) made.get(pairOf(moved))!.add(moved.kept);
    for (const leaves of made.values())
      write(handOverRecord(leaves.handing, signedByOld(work, committed, leaves.end())));
  }
  // Each new one signs what it has checked.
  checkHandOvers(work, ['from']);
  for (const handing of all) {
    const { signatures, ...kept } = readHandOver(store, handing)!;
    const own = signerAfter({ role: handing.role, index: handing.to }).sign(kept.signed);
    write(handOverRecord(handing, { ...kept, signatures: { ...signatures, to: own } }));
  }
}

function signedByOld(
  { serverId, nextHash: manifestHash, signerBefore }: HandingOver,
  committed: Committed,
  { handing, roots, count }: Leaves,
): KeptHandOver {
  const { role, from, to } = handing;
  const blockRoots = concat(...roots);
  const signed = encodeHandOver({
    ...{ serverId, manifestHash, placementRoot: EMPTY_ROOT, role, from, to },
    ...{ ...committed, leaves: count, root: merkleRoot(blockRoots) },
  });
  const own = signerBefore({ role, index: from }).sign(signed);
  return { signed, signatures: { from: own, to: new Uint8Array(SIGNATURE_BYTES) }, blockRoots };
}

/** Leaves of one hand-over, written block by block. */
class Leaves {
  readonly roots: Uint8Array[] = [];
  count = 0;
  private block: Uint8Array[] = [];

  constructor(
    readonly handing: Handing,
    private readonly write: (record: StoreRecord) => void,
  ) {}

  add(kept: Uint8Array): void {
    this.count++;
    if (this.block.push(kept) === BLOCK) this.end();
  }

  end(): this {
    if (this.block.length === 0) return this;
    const value = concat(...this.block);
    this.write({ key: handOverKey(this.handing, this.roots.length), value });
    this.roots.push(blockRoot(this.handing.role, value));
    this.block = [];
    return this;
  }
}

/** Leaves of moves that are older than the retention; the statements are kept for ever. */
function forget({ store, write, next }: HandingOver, { lastEpoch }: Committed): void {
  const oldest = lastEpoch - next.policy.retentionEpochs;
  const old: Uint8Array[] = [];
  for (const handing of keptHandOvers(store)) {
    const { signed, blockRoots } = readHandOver(store, handing)!;
    if (decodeHandOver(signed).lastEpoch >= oldest) continue;
    for (let number = 0; number < blockRoots.length / HASH_BYTES; number++) {
      const key = handOverKey(handing, number);
      if (store.get(key)) old.push(key);
    }
  }
  for (const key of old) write({ key, value: null });
}
