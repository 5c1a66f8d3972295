/**
 * Vectors: what two clients that write to each other compare. Both hash, epoch by epoch, what either has of the
 * messages that both must have, and so two hashes say whether they have the same.
 *
 *   pair seed    H(csign1vs ‖ server id 32 ‖ lower id 32 ‖ higher id 32 ‖ scope 1 ‖ from 8)
 *   epoch digest H(csign1vi ‖ epoch 8 ‖ n 4 ‖ n × (inbox 2 ‖ index 4 ‖ message hash 32)), rising by (inbox, index)
 *   pair digest  the seed; with each epoch behind `from` that has a message H(csign1vd ‖ the one before 32 ‖ epoch digest 32)
 *   block        csign1vb ‖ scope 1 ‖ from 8 ‖ as of 8 ‖ pair digest 32 ‖ anchor size 8 ‖ anchor root 32
 */
import { sha256 } from '#crypto';
import { ascii, compareWhole, concat, FormatError, Reader, Writer } from './bytes.js';
import { expectBytes } from './expect-bytes.js';
import { hash, type Struct, struct, u8, u64 } from './fields.js';
import { Frontier } from './merkle.js';

const SEED_TAG = ascii('csign1vs');
const EPOCH_TAG = ascii('csign1vi');
const DIGEST_TAG = ascii('csign1vd');
const BLOCK_TAG = ascii('csign1vb');

/** Which messages count: those of one to the other, or also those of others to both whose roster was checked. */
export const SCOPE = { direct: 0, rosters: 1 } as const;
export type Scope = (typeof SCOPE)[keyof typeof SCOPE];

/** Anchors are log sizes that are multiples of it: where everybody can compare the same root. */
export const ANCHOR_LEAVES = 1024;

/** A message of a pair. */
export interface PairItem {
  readonly inbox: number;
  readonly index: number;
  readonly messageHash: Uint8Array;
}
export const PAIR_ITEM_BYTES = 38;

/** The digest of a pair that has nothing yet behind epoch `from`. The ids in any order. */
export function pairSeed(
  serverId: Uint8Array,
  one: Uint8Array,
  other: Uint8Array,
  scope: Scope,
  from: number,
): Uint8Array {
  const [lower, higher] = compareWhole(one, other) < 0 ? [one, other] : [other, one];
  const numbers = new Writer(9).u8(scope).u64(from).done();
  return sha256(concat(SEED_TAG, serverId, lower, higher, numbers));
}

/** Of the messages of a pair in one epoch, rising by (inbox, index). */
export function epochDigest(epoch: number, items: readonly PairItem[]): Uint8Array {
  const out = new Writer(20 + items.length * PAIR_ITEM_BYTES).bytes(EPOCH_TAG).u64(epoch).u32(items.length);
  for (const { inbox, index, messageHash } of items) out.u16(inbox).u32(index).bytes(messageHash);
  return sha256(out.done());
}

/** The pair digest behind an epoch, from the one before. */
export function pairDigest(before: Uint8Array, epoch: Uint8Array): Uint8Array {
  return sha256(concat(DIGEST_TAG, before, epoch));
}

/** The largest anchor in a log with this frontier: size 0 = none yet. */
export function anchorOf(frontier: Frontier): Anchor {
  const size = frontier.size - (frontier.size % ANCHOR_LEAVES);
  // The complete subtrees before the anchor are those in front: as many as its size has bits.
  const subtrees = size.toString(2).replaceAll('0', '').length;
  const root = Frontier.from(size, frontier.packed().subarray(0, subtrees * 32)).root();
  return { size, root };
}

const anchorFields = { size: u64, root: hash };
export type Anchor = Struct<typeof anchorFields>;

const block = struct({ scope: u8, from: u64, asOf: u64, digest: hash, anchor: struct(anchorFields) });

/** What one client says to another of the pair, inside an encrypted message. */
export interface Block {
  readonly scope: Scope;
  /** The digest starts behind this epoch: the first that both know everything behind. */
  readonly from: number;
  /** Epoch of the last leaf that was verified: the digest is of everything through it. */
  readonly asOf: number;
  readonly digest: Uint8Array;
  readonly anchor: Anchor;
}

export function encodeBlock(value: Block): Uint8Array {
  const out = new Writer(97).bytes(BLOCK_TAG);
  block.write(out, value);
  return out.done();
}

/** Throws `FormatError` on any other bytes than `encodeBlock` gives. */
export function decodeBlock(bytes: Uint8Array): Block {
  const reader = new Reader(bytes);
  expectBytes(reader, BLOCK_TAG, 'block tag');
  const value = block.read(reader);
  reader.end();
  const { scope, from, asOf, anchor } = value;
  if (scope > SCOPE.rosters) throw new FormatError(`scope: ${scope} is not known`);
  if (from > asOf) throw new FormatError('a block that ends before it starts');
  if (anchor.size % ANCHOR_LEAVES !== 0) throw new FormatError('an anchor of another size');
  return value as Block;
}
