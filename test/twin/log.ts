/** The log of epochs: its leaves, and the checkpoint that the sequencer signs over them. */
import type { Base } from './attestation.js';
import { ascii, fixed, H, hex, join, mustRise, u8, u16, u64 } from './bytes.js';
import { root } from './merkle.js';

export interface ActorEntry {
  role: number;
  index: number;
  attestationHash: Buffer;
  signature: Buffer;
}

export interface EpochLeaf {
  epoch: bigint;
  previousEpoch: bigint;
  base: Base;
  manifestHash: Buffer;
  placementRoot: Buffer;
  actors: ActorEntry[];
}

/** actor leaf = 0x00 ‖ `csign1ac` ‖ attestation hash 32 ‖ signature 64 */
export function actorLeaf(attestationHash: Uint8Array, signature: Uint8Array): Buffer {
  return join(u8(0x00), ascii('csign1ac'), fixed(32, attestationHash), fixed(64, signature));
}

/** The root over the actor leaves of roles 1 to 4, sorted by (role, index). */
export function actorsRoot(actors: ActorEntry[]): Buffer {
  mustRise('actors', actors, (a, b) => a.role - b.role || a.index - b.index);
  return root(actors.map((actor) => H(actorLeaf(actor.attestationHash, actor.signature))));
}

/**
 * epoch leaf = 0x00 ‖ `csign1ep` ‖ epoch 8 ‖ previous committed epoch 8 ‖ base size 8
 *              ‖ base root 32 ‖ manifest hash 32 ‖ placement root 32 ‖ actors 2 ‖ actors root 32
 */
export function epochLeaf(leaf: EpochLeaf): Buffer {
  return join(
    u8(0x00),
    ascii('csign1ep'),
    u64(leaf.epoch),
    u64(leaf.previousEpoch),
    u64(leaf.base.size),
    fixed(32, leaf.base.root),
    fixed(32, leaf.manifestHash),
    fixed(32, leaf.placementRoot),
    u16(leaf.actors.length),
    actorsRoot(leaf.actors),
  );
}

/** origin = key name = `countersign/v1/` ‖ server id in lower-case hex */
export function checkpointOrigin(serverId: Uint8Array): string {
  return `countersign/v1/${hex(fixed(32, serverId))}`;
}

/** signed text = origin LF size in decimal LF root in standard base64 LF (C2SP tlog-checkpoint) */
export function checkpointText(serverId: Uint8Array, size: bigint, rootHash: Uint8Array): string {
  return `${checkpointOrigin(serverId)}\n${size}\n${fixed(32, rootHash).toString('base64')}\n`;
}

/** key id = first 4 bytes of H(name ‖ 0x0A ‖ 0x01 ‖ public key 32) (C2SP signed-note, Ed25519) */
export function checkpointKeyId(serverId: Uint8Array, publicKey: Uint8Array): Buffer {
  const name = ascii(checkpointOrigin(serverId));
  return H(name, u8(0x0a), u8(0x01), fixed(32, publicKey)).subarray(0, 4);
}

/** note = text ‖ LF ‖ `— ` ‖ name ‖ ` ` ‖ base64(key id 4 ‖ signature 64) ‖ LF */
export function checkpointNote(
  serverId: Uint8Array,
  size: bigint,
  rootHash: Uint8Array,
  publicKey: Uint8Array,
  signature: Uint8Array,
): string {
  const text = checkpointText(serverId, size, rootHash);
  const signed = join(checkpointKeyId(serverId, publicKey), fixed(64, signature)).toString('base64');
  return `${text}\n\u2014 ${checkpointOrigin(serverId)} ${signed}\n`;
}
