/**
 * What actors hand over when a next version of the manifest places ids elsewhere: each old one signs what it knows of them,
 * and each new one, once it has held that against what is stored and it begins with. In the transaction that writes the
 * manifest, so it is made once, and durable before anybody sees it. Memory: a block of leaves and 32 bytes for each block before
 * it, for each two actors.
 */
import { type Signer, trustedPublicKey } from '#crypto';
import {
  BLOCK,
  blockRoot,
  handOverKey,
  handOverRecord,
  type KeptHandOver,
  keptHandOvers,
  leavesIn,
  readHandOver,
  type Side,
} from '../actors/kept-hand-overs.js';
import { mailboxCodec } from '../actors/mailbox-state.js';
import type { StoreRecord } from '../actors/messages.js';
import { senderCodec } from '../actors/sender-state.js';
import { idKey, TABLE } from '../actors/store-keys.js';
import {
  actorKey,
  compareBytes,
  concat,
  decodeHandOver,
  EMPTY_ROOT,
  encodeHandOver,
  equalBytes,
  FormatError,
  HANDED_BYTES,
  HANDING_ROLES,
  HASH_BYTES,
  type Handing,
  type HandingRole,
  type HandOver,
  handings,
  inForceFrom,
  keptMailbox,
  keptSender,
  type Manifest,
  merkleRoot,
  placedBy,
  placementOf,
  placesAlike,
  ROLE,
  SIGNATURE_BYTES,
} from '../protocol/index.js';
import type { Identity } from './founding.js';
import type { Slot } from './manifest-change.js';
import { OperatorError } from './operator-error.js';
import { type RecoveryStore, readFrontier, recoverLog } from './recovery.js';

/** Two versions that follow each other; of the second its hash. */
export interface Versions {
  readonly serverId: Uint8Array;
  readonly before: Manifest;
  readonly next: Manifest;
  readonly nextHash: Uint8Array;
}

export interface HandingOver extends Versions {
  readonly store: RecoveryStore;
  readonly write: (record: StoreRecord) => void;
  readonly signerBefore: (slot: Slot) => Signer;
  readonly signerAfter: (slot: Slot) => Signer;
}

/** States of ids read at once, before anything is written. */
const AT_ONCE = 1024;

/** States are as of the last epoch (moving.ts). Throws `OperatorError` `hand-over-differs`. */
export function handOver(work: HandingOver): void {
  const { store, write, signerAfter } = work;
  forget(work);
  const made = handings(work.before, work.next).map((handing) => new Leaves(handing, write));
  for (const role of HANDING_ROLES) {
    const of = new Map(
      made.filter(({ handing }) => handing.role === role).map((each) => [nameOf(each.handing), each]),
    );
    for (const moved of movedIds(work, role)) of.get(nameOf(moved))!.add(moved.kept);
  }
  for (const leaves of made) write(handOverRecord(leaves.handing, signedByOld(work, leaves.end())));
  // Each new one signs what it has checked.
  checkHandOvers(store, work, ['from']);
  for (const { handing } of made) {
    const { signatures, ...kept } = readHandOver(store, handing)!;
    const own = signerAfter({ role: handing.role, index: handing.to }).sign(kept.signed);
    write(handOverRecord(handing, { ...kept, signatures: { ...signatures, to: own } }));
  }
}

const nameOf = ({ from, to }: Pick<Handing, 'from' | 'to'>) => `${from} ${to}`;

function signedByOld(work: HandingOver, { handing, roots, count }: Leaves): KeptHandOver {
  const { store, serverId, nextHash: manifestHash, signerBefore } = work;
  const { size, lastEpoch } = recoverLog(store);
  const { role, from, to } = handing;
  const blockRoots = concat(...roots);
  const signed = encodeHandOver({
    ...{ serverId, manifestHash, placementRoot: EMPTY_ROOT, role, from, to },
    log: { size, root: readFrontier(store, size).root() },
    ...{ lastEpoch, leaves: count, root: merkleRoot(blockRoots) },
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

interface MovedId {
  readonly from: number;
  readonly to: number;
  /** Its leaf without the prefix. */
  readonly kept: Uint8Array;
}

/** Ids that have a state and go elsewhere, rising. */
function* movedIds(work: Versions & { readonly store: RecoveryStore }, role: HandingRole): Iterable<MovedId> {
  const { store, serverId } = work;
  const table = role === ROLE.inbox ? TABLE.sender : TABLE.mailbox;
  const kind = placedBy(role);
  const end = Uint8Array.of(table + 1);
  for (let start: Uint8Array = Uint8Array.of(table); ; ) {
    const found: MovedId[] = [];
    let count = 0;
    for (const { key, value } of store.range(start, end)) {
      if (++count > AT_ONCE) break;
      start = concat(key, Uint8Array.of(0));
      const id = Uint8Array.from(key.subarray(1));
      const [from, to] = [work.before, work.next].map(
        (manifest) => placementOf(manifest, serverId, id)[kind],
      );
      const kept = from === to ? null : keptOf(role, id, value);
      if (kept) found.push({ from: from!, to: to!, kept });
    }
    yield* found;
    if (count <= AT_ONCE) return;
  }
}

/** What is handed over of a state; null of one that is as good as none. */
function keptOf(role: HandingRole, id: Uint8Array, value: Uint8Array): Uint8Array | null {
  if (role === ROLE.inbox) {
    const { last, place } = senderCodec.decode(value);
    return last === 0 ? null : keptSender(id, { counter: last, place });
  }
  const { chain } = mailboxCodec.decode(value);
  return chain.total === 0 ? null : keptMailbox(id, chain);
}

/**
 * What new actors begin with, held against what old ones have handed over: signatures of these sides, leaves and their order,
 * and that nobody was left out. Reads the states of all ids; to be done while no epoch is committed since. Throws
 * `OperatorError` `hand-over-differs`.
 */
export function checkHandOvers(store: RecoveryStore, versions: Versions, sides: readonly Side[]): void {
  const all = handings(versions.before, versions.next);
  for (const role of HANDING_ROLES) {
    const counts = new Map<string, number>();
    for (const moved of movedIds({ ...versions, store }, role))
      counts.set(nameOf(moved), (counts.get(nameOf(moved)) ?? 0) + 1);
    for (const handing of all.filter((each) => each.role === role)) {
      checkStatement(store, versions, handing, sides);
      if (checkLeaves(store, versions, handing) !== (counts.get(nameOf(handing)) ?? 0))
        throw differs(handing, 'it leaves ids out');
    }
  }
}

/** At a start: the same of the newest version, where it places ids elsewhere and no epoch is committed under it. */
export function checkTakenOver(store: RecoveryStore, { serverId, manifests }: Identity): void {
  const [last, newest] = manifests.slice(-2);
  if (!last || !newest || placesAlike(last.manifest, newest.manifest)) return;
  if (recoverLog(store).lastEpoch >= newest.from) return;
  const versions = { serverId, before: last.manifest, next: newest.manifest, nextHash: newest.hash };
  checkHandOvers(store, versions, ['from', 'to']);
}

/** The statement is of this move and these actors, and signed. */
function checkStatement(
  store: RecoveryStore,
  versions: Versions,
  handing: Handing,
  sides: readonly Side[],
): void {
  const { serverId, before, next, nextHash } = versions;
  const { role, from, to } = handing;
  const kept = readHandOver(store, handing);
  const said = kept && decodedOrNull(kept.signed);
  if (!kept || !said) throw differs(handing, 'there is none');
  const { size, lastEpoch } = recoverLog(store);
  const isOf =
    equalBytes(said.serverId, serverId) &&
    equalBytes(said.manifestHash, nextHash) &&
    equalBytes(said.placementRoot, EMPTY_ROOT) &&
    said.role === role &&
    said.from === from &&
    said.to === to &&
    said.log.size === size &&
    equalBytes(said.log.root, readFrontier(store, size).root()) &&
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
}

function decodedOrNull(signed: Uint8Array): HandOver | null {
  try {
    return decodeHandOver(signed);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

/** Each leaf is what is stored of its id, which goes from the one to the other; how many they are. */
function checkLeaves(store: RecoveryStore, versions: Versions, handing: Handing): number {
  const { role } = handing;
  const { signed, blockRoots } = readHandOver(store, handing)!;
  const said = decodeHandOver(signed);
  if (!equalBytes(merkleRoot(blockRoots), said.root)) throw differs(handing, 'its root is another one');
  let last: Uint8Array = new Uint8Array(0);
  let count = 0;
  for (let number = 0; number < blockRoots.length / HASH_BYTES; number++) {
    const block = store.get(handOverKey(handing, number)) ?? new Uint8Array(0);
    const root = blockRoots.subarray(number * HASH_BYTES, (number + 1) * HASH_BYTES);
    if (
      block.length === 0 ||
      block.length % HANDED_BYTES[role] !== 0 ||
      !equalBytes(blockRoot(role, block), root)
    )
      throw differs(handing, 'its leaves are others');
    for (const leaf of leavesIn(role, block)) {
      if (last.length > 0 && compareBytes(last, 0, leaf, 0, 32) >= 0)
        throw differs(handing, 'ids do not rise');
      checkLeaf(store, versions, handing, leaf);
      last = leaf;
      count++;
    }
  }
  if (count !== said.leaves) throw differs(handing, 'it has another number of leaves');
  return count;
}

function checkLeaf(store: RecoveryStore, versions: Versions, handing: Handing, leaf: Uint8Array): void {
  const { role, from, to } = handing;
  const { serverId, before, next } = versions;
  const id = leaf.subarray(0, 32);
  const table = role === ROLE.inbox ? TABLE.sender : TABLE.mailbox;
  const kind = placedBy(role);
  const isMoved =
    placementOf(before, serverId, id)[kind] === from && placementOf(next, serverId, id)[kind] === to;
  const value = store.get(idKey(table, id));
  const kept = value && keptOf(role, id, value);
  if (!isMoved || !kept || !equalBytes(kept, leaf)) throw differs(handing, 'an id begins with another state');
}

/** Leaves of moves that are older than the retention; the statements are kept for ever. */
function forget({ store, write, next }: HandingOver): void {
  const oldest = recoverLog(store).lastEpoch - next.policy.retentionEpochs;
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

function differs({ role, from, to }: Handing, what: string): OperatorError {
  const who = role === ROLE.inbox ? 'inbox' : 'outbox';
  return new OperatorError(
    'hand-over-differs',
    `what ${who} ${from} handed over to ${who} ${to} is not what is stored: ${what}`,
    'The data directory is damaged. Restore all of it from one backup.',
  );
}
