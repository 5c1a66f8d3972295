/**
 * Hand-overs (protocol/hand-over.ts) as they are stored, and what they open of an id: a leaf, or the leaves beside where it
 * would be. Leaves lie in blocks of 64, and the root of each block in the record, so that whatever was moved an opening reads some blocks.
 *
 *   record  signed bytes 209 ‖ signature of the old actor 64 ‖ of the new one 64 ‖ blocks × their root 32
 *   block   leaves without their prefixes
 */
import { sha256Into } from '#crypto';
import {
  buildTree,
  compareBytes,
  concat,
  getU16,
  HAND_OVER_BYTES,
  HANDED_BYTES,
  HASH_BYTES,
  type HandingRole,
  handedLeaf,
  merkleRoot,
  multiproof,
  putU16,
  putU32,
  SIGNATURE_BYTES,
} from '../protocol/index.js';
import type { OpenedLeaf } from '../protocol/statement.js';
import type { StoreReader, StoreRecord } from './messages.js';
import { TABLE } from './store-keys.js';

/** Leaves of a block. */
export const BLOCK = 64;
const RECORD_KEY_BYTES = 7;

/** Who hands over to whom, by which version of the manifest. */
export interface Handing {
  readonly version: number;
  readonly role: HandingRole;
  readonly from: number;
  readonly to: number;
}

/** Of the old actor and of the new one. */
export type Side = 'from' | 'to';

/** A hand-over with the signatures of both. */
export interface SignedHandOver {
  readonly signed: Uint8Array;
  readonly signatures: Readonly<Record<Side, Uint8Array>>;
}

export interface KeptHandOver extends SignedHandOver {
  /** Packed. */
  readonly blockRoots: Uint8Array;
}

export function handOverKey({ version, role, from, to }: Handing, block?: number): Uint8Array {
  const key = new Uint8Array(block === undefined ? RECORD_KEY_BYTES : RECORD_KEY_BYTES + 4);
  key.set([TABLE.handOver, version, role]);
  putU16(key, 3, from);
  putU16(key, 5, to);
  if (block !== undefined) putU32(key, 7, block);
  return key;
}

export function handOverRecord(
  handing: Handing,
  { signed, signatures, blockRoots }: KeptHandOver,
): StoreRecord {
  return { key: handOverKey(handing), value: concat(signed, signatures.from, signatures.to, blockRoots) };
}

/** Undefined where nothing was handed over. */
export function readHandOver(reader: StoreReader, handing: Handing): KeptHandOver | undefined {
  const record = reader.get(handOverKey(handing));
  if (!record) return undefined;
  const [first, second] = [HAND_OVER_BYTES, HAND_OVER_BYTES + SIGNATURE_BYTES];
  return {
    signed: record.subarray(0, first),
    signatures: {
      from: record.subarray(first, second),
      to: record.subarray(second, second + SIGNATURE_BYTES),
    },
    blockRoots: record.subarray(second + SIGNATURE_BYTES),
  };
}

/** Of all versions. */
export function* keptHandOvers(reader: StoreReader): Iterable<Handing> {
  const [from, to] = [TABLE.handOver, TABLE.handOver + 1].map((table) => Uint8Array.of(table));
  for (const { key } of reader.range(from!, to!))
    if (key.length === RECORD_KEY_BYTES)
      yield { version: key[1]!, role: key[2] as HandingRole, from: getU16(key, 3), to: getU16(key, 5) };
}

/** The root of a block of leaves without their prefixes. */
export function blockRoot(role: HandingRole, block: Uint8Array): Uint8Array {
  return merkleRoot(hashesOf(role, block));
}

/** Of all leaves of a block. */
function hashesOf(role: HandingRole, block: Uint8Array): Uint8Array {
  const bytes = HANDED_BYTES[role];
  const hashes = new Uint8Array((block.length / bytes) * HASH_BYTES);
  // One leaf is written over the other, behind the prefix.
  const leaf = handedLeaf(role, block.subarray(0, bytes));
  for (let i = 0; i * bytes < block.length; i++) {
    leaf.set(block.subarray(i * bytes, (i + 1) * bytes), leaf.length - bytes);
    sha256Into(leaf, hashes, i * HASH_BYTES);
  }
  return hashes;
}

/** Leaves of a block, without their prefixes. */
function leavesIn(role: HandingRole, block: Uint8Array): Uint8Array[] {
  const bytes = HANDED_BYTES[role];
  return Array.from({ length: block.length / bytes }, (_, i) => block.subarray(i * bytes, (i + 1) * bytes));
}

/** The id's leaf, or those beside where it would be; none where there are none. Undefined where leaves are not kept any more. */
export function openHandOver(
  reader: StoreReader,
  handing: Handing,
  { blockRoots }: KeptHandOver,
  id: Uint8Array,
): OpenedLeaf[] | undefined {
  const { role } = handing;
  const blocks = blockRoots.length / HASH_BYTES;
  if (blocks === 0) return [];
  const read = (number: number) => {
    const block = reader.get(handOverKey(handing, number));
    return block && leavesIn(role, block);
  };
  // The last block whose first id is not above this one.
  let [low, high] = [0, blocks];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const block = read(middle);
    if (!block) return undefined;
    if (compareBytes(block[0]!, 0, id, 0, 32) <= 0) low = middle;
    else high = middle;
  }
  const leaves = read(low);
  if (!leaves) return undefined;
  const at = leaves.findLastIndex((leaf) => compareBytes(leaf, 0, id, 0, 32) <= 0);
  const isThere = at >= 0 && compareBytes(leaves[at]!, 0, id, 0, 32) === 0;
  const first = low * BLOCK + at;
  const wanted = isThere ? [first] : [first, first + 1];
  const tree = buildTree(blockRoots);
  const opened: OpenedLeaf[] = [];
  for (const leafIndex of wanted) {
    const number = Math.floor(leafIndex / BLOCK);
    if (leafIndex < 0 || number >= blocks) continue;
    const block = number === low ? leaves : read(number);
    if (!block) return undefined;
    const leaf = block[leafIndex % BLOCK];
    if (!leaf) continue;
    const own = buildTree(hashesOf(role, concat(...block)));
    const outputPath = concat(multiproof(own, [leafIndex % BLOCK]), multiproof(tree, [number]));
    opened.push({ leaf: handedLeaf(role, leaf), leafIndex, outputPath });
  }
  return opened;
}
