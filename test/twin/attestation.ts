/** An actor's signed statement about one epoch. */
import { ascii, fixed, H, join, u8, u16, u32, u64 } from './bytes.js';
import { root } from './merkle.js';

export const INBOX = 1;
export const ROUTER = 2;
export const RECEIVER = 3;
export const OUTBOX = 4;
export const SEQUENCER = 5;

export interface Base {
  size: bigint;
  root: Buffer;
}

export interface Output {
  entries: number;
  leaves: number;
  root: Buffer;
}

export interface Attestation {
  serverId: Buffer;
  role: number;
  actor: number;
  epoch: bigint;
  base: Base;
  manifestHash: Buffer;
  placementRoot: Buffer;
  inputs: Buffer;
  outputs: Output[];
}

/** An output of `entries` entries in the leaves given; an empty one has 0, 0 and H(""). */
export function outputOf(entries: number, leafPreimages: Buffer[]): Output {
  return { entries, leaves: leafPreimages.length, root: root(leafPreimages.map((leaf) => H(leaf))) };
}

/** inputs = H(`csign1ip` ‖ n 2 ‖ n attestation hashes, in the order consumed) */
export function inputsHash(attestationHashes: Buffer[]): Buffer {
  return H(
    ascii('csign1ip'),
    u16(attestationHashes.length),
    ...attestationHashes.map((hash) => fixed(32, hash)),
  );
}

/** output = entries 4 ‖ leaves 4 ‖ root 32 */
function outputBytes(output: Output): Buffer {
  return join(u32(output.entries), u32(output.leaves), fixed(32, output.root));
}

/**
 * signed = `countersign/v1 attestation` ‖ server id 32 ‖ role 1 ‖ actor 2 ‖ epoch 8 ‖ base size 8
 *          ‖ base root 32 ‖ manifest hash 32 ‖ placement root 32 ‖ inputs 32 ‖ outputs 2 ‖ outputs
 */
export function attestationSigned(attestation: Attestation): Buffer {
  return join(
    ascii('countersign/v1 attestation'),
    fixed(32, attestation.serverId),
    u8(attestation.role),
    u16(attestation.actor),
    u64(attestation.epoch),
    u64(attestation.base.size),
    fixed(32, attestation.base.root),
    fixed(32, attestation.manifestHash),
    fixed(32, attestation.placementRoot),
    fixed(32, attestation.inputs),
    u16(attestation.outputs.length),
    ...attestation.outputs.map(outputBytes),
  );
}

/** attestation hash = H(`csign1at` ‖ signed bytes) */
export function attestationHash(signed: Uint8Array): Buffer {
  return H(ascii('csign1at'), signed);
}
