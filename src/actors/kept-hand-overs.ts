/**
 * Hand-overs (protocol/hand-over.ts) as they are stored, and what they open of an id: a leaf, or the leaves beside where it
 * would be. Leaves lie in blocks of 64, and the root of each block in the record, so that whatever was moved an opening reads some blocks.
 *
 *   record  signed bytes 209 ‖ signature of the old actor 64 ‖ of the new one 64 ‖ blocks × their root 32
 *   block   leaves without their prefixes
 */
import { PART, putPart } from '../protocol/audit/kept-parts.js';
import { HANDED_PER_PART } from '../protocol/audit/part-bounds.js';
import {
  buildTree,
  compareBytes,
  concat,
  getU16,
  HAND_OVER_BYTES,
  HANDED_BYTES,
  HASH_BYTES,
  type Handing,
  type HandingRole,
  handedHashes,
  handedLeaf,
  merkleRoot,
  multiproof,
  putU16,
  putU32,
  SIGNATURE_BYTES,
  Writer,
} from '../protocol/index.js';
import type { OpenedLeaf } from '../protocol/statement.js';
import type { StoreReader, StoreRecord } from './messages.js';
import { TABLE } from './store-keys.js';

/** Leaves of a block. */
export const BLOCK = HANDED_PER_PART;
const RECORD_KEY_BYTES = 7;

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

/** Of all versions, in the order of version, role, from and to. Keys of blocks are not read. */
export function* keptHandOvers(reader: StoreReader): Iterable<Handing> {
  const end = Uint8Array.of(TABLE.handOver + 1);
  for (let from: Uint8Array = Uint8Array.of(TABLE.handOver); ; ) {
    const handing = firstIn(reader, from, end);
    if (!handing) return;
    yield handing;
    from = concat(handOverKey(handing, 0xffff_ffff), Uint8Array.of(0));
  }
}

function firstIn(reader: StoreReader, from: Uint8Array, end: Uint8Array): Handing | null {
  for (const key of reader.keys(from, end))
    if (key.length === RECORD_KEY_BYTES)
      return { version: key[1]!, role: key[2] as HandingRole, from: getU16(key, 3), to: getU16(key, 5) };
  return null;
}

/** Puts all parts of a hand-over (protocol/audit/kept-handed.ts), block by block; whole also where it is damaged. */
export function* putKeptHandOver(reader: StoreReader, handing: Handing, out: Writer): Generator<undefined> {
  const { version, role, from, to } = handing;
  const head = new Writer(6).u8(version).u8(role).u16(from).u16(to).done();
  const { signed, signatures, blockRoots } = readHandOver(reader, handing)!;
  putPart(out, PART.handOver, 0, head, signed, signatures.from, signatures.to);
  const blocks = Math.ceil(blockRoots.length / HASH_BYTES);
  let found = 0;
  for (let number = 0; number < blocks; number++) {
    const block = reader.get(handOverKey(handing, number));
    if (!block) continue;
    putPart(out, PART.handed, 0, block);
    found++;
    yield;
  }
  putPart(out, PART.end, 0, Uint8Array.of(found === 0 && blocks > 0 ? 0 : 1));
}

/** The root of a block of leaves without their prefixes. */
export function blockRoot(role: HandingRole, block: Uint8Array): Uint8Array {
  return merkleRoot(handedHashes(role, block));
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
    const own = buildTree(handedHashes(role, concat(...block)));
    const outputPath = concat(multiproof(own, [leafIndex % BLOCK]), multiproof(tree, [number]));
    opened.push({ leaf: handedLeaf(role, leaf), leafIndex, outputPath });
  }
  return opened;
}
