/**
 * The log of epochs and its signed tree head.
 *
 *   actor leaf   0x00 ‖ csign1ac ‖ attestation hash 32 ‖ signature 64
 *   epoch leaf   0x00 ‖ csign1ep ‖ epoch 8 ‖ previous committed epoch 8 ‖ base size 8 ‖ base root 32 ‖
 *                manifest hash 32 ‖ placement root 32 ‖ actors 2 ‖ root over the actor leaves 32
 *   checkpoint   C2SP tlog-checkpoint note; origin and key name countersign/v1/<server id hex>
 */
import { sha256 } from '#crypto';
import type { EpochContext } from './attestation.js';
import { ascii, concat, Reader, toHex, Writer } from './bytes.js';
import { expectBytes } from './expect-bytes.js';

const ACTOR_PREFIX = ascii('\0csign1ac');
const EPOCH_PREFIX = ascii('\0csign1ep');

export interface EpochLeaf extends EpochContext {
  /** 0 = this is the first committed epoch. */
  readonly previousEpoch: number;
  /** Attestations in the epoch: inboxes, routers, receivers, outboxes. */
  readonly actors: number;
  readonly actorsRoot: Uint8Array;
}

/** H(0x00 ‖ `csign1ac` ‖ attestation hash ‖ signature). */
export function actorLeafHash(attestationHash: Uint8Array, signature: Uint8Array): Uint8Array {
  return sha256(concat(ACTOR_PREFIX, attestationHash, signature));
}

export function encodeEpochLeaf(leaf: EpochLeaf): Uint8Array {
  return new Writer(163)
    .bytes(EPOCH_PREFIX)
    .u64(leaf.epoch)
    .u64(leaf.previousEpoch)
    .u64(leaf.base.size)
    .bytes(leaf.base.root)
    .bytes(leaf.manifestHash)
    .bytes(leaf.placementRoot)
    .u16(leaf.actors)
    .bytes(leaf.actorsRoot)
    .done();
}

/** Throws `FormatError` on any other bytes than `encodeEpochLeaf` gives. */
export function decodeEpochLeaf(bytes: Uint8Array): EpochLeaf {
  const reader = new Reader(bytes);
  expectBytes(reader, EPOCH_PREFIX, 'epoch leaf prefix');
  const leaf = {
    epoch: reader.u64(),
    previousEpoch: reader.u64(),
    base: { size: reader.u64(), root: reader.hash() },
    manifestHash: reader.hash(),
    placementRoot: reader.hash(),
    actors: reader.u16(),
    actorsRoot: reader.hash(),
  };
  reader.end();
  return leaf;
}

/** The leaf's hash in the log. */
export function epochLeafHash(leaf: EpochLeaf): Uint8Array {
  return sha256(encodeEpochLeaf(leaf));
}

/** A signed tree head in binary; the note is rebuilt from it, because base64 is malleable. */
export interface Checkpoint {
  readonly size: number;
  readonly root: Uint8Array;
  readonly signature: Uint8Array;
}

/** Origin of the checkpoint and name of its key. */
export function checkpointOrigin(serverId: Uint8Array): string {
  return `countersign/v1/${toHex(serverId)}`;
}

/** The note's text, which is what is signed: origin, size and root, a line each (C2SP tlog-checkpoint). */
export function checkpointText(serverId: Uint8Array, size: number, root: Uint8Array): Uint8Array {
  return ascii(`${checkpointOrigin(serverId)}\n${size}\n${toBase64(root)}\n`);
}

/** Standard base64 with padding (RFC 4648 §4), of some thousand bytes at most. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
