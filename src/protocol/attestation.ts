/**
 * Attestations: an actor's signed statement about one epoch.
 *
 *   signed bytes  countersign/v1 attestation ‖ server id 32 ‖ role 1 ‖ actor 2 ‖ epoch 8 ‖
 *                 base size 8 ‖ base root 32 ‖ manifest hash 32 ‖ placement root 32 ‖ inputs 32 ‖
 *                 outputs 2 ‖ outputs × (entries 4 ‖ leaves 4 ‖ root 32)
 *   hash          H(csign1at ‖ signed bytes)
 *   inputs        H(csign1ip ‖ n 2 ‖ n × hash of an attestation consumed), in order
 */
import { sha256 } from '#crypto';
import { ascii, concat, HASH_BYTES, Reader, Writer } from './bytes.js';
import { expectBytes } from './expect-bytes.js';

const DOMAIN = ascii('countersign/v1 attestation');
const HASH_TAG = ascii('csign1at');
const INPUTS_TAG = /* @__PURE__ */ ascii('csign1ip');

export const ROLE = { inbox: 1, router: 2, receiver: 3, outbox: 4, sequencer: 5 } as const;
export type Role = (typeof ROLE)[keyof typeof ROLE];
export const ROLE_NAMES = ['none', 'inbox', 'router', 'receiver', 'outbox', 'sequencer'] as const;

/** The log's size and root at the newest durable checkpoint when the epoch was closed. */
export interface Base {
  readonly size: number;
  readonly root: Uint8Array;
}

/** What all attestations of one epoch have in common. */
export interface EpochContext {
  readonly epoch: number;
  readonly base: Base;
  readonly manifestHash: Uint8Array;
  readonly placementRoot: Uint8Array;
}

export interface Output {
  /** Messages, items, or entries in links. */
  readonly entries: number;
  /** Pages, or links and stills. */
  readonly leaves: number;
  readonly root: Uint8Array;
}

export interface Attestation extends EpochContext {
  readonly serverId: Uint8Array;
  readonly role: Role;
  readonly actor: number;
  readonly inputs: Uint8Array;
  readonly outputs: readonly Output[];
}

/** What travels: the signed bytes and their signature. */
export interface SignedAttestation {
  readonly bytes: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** The bytes that are signed. */
export function encodeAttestation(attestation: Attestation): Uint8Array {
  const out = new Writer(DOMAIN.length + 181 + attestation.outputs.length * 40)
    .bytes(DOMAIN)
    .bytes(attestation.serverId)
    .u8(attestation.role)
    .u16(attestation.actor)
    .u64(attestation.epoch)
    .u64(attestation.base.size)
    .bytes(attestation.base.root)
    .bytes(attestation.manifestHash)
    .bytes(attestation.placementRoot)
    .bytes(attestation.inputs)
    .u16(attestation.outputs.length);
  for (const output of attestation.outputs) out.u32(output.entries).u32(output.leaves).bytes(output.root);
  return out.done();
}

/** Throws `FormatError` on any other bytes than `encodeAttestation` gives. */
export function decodeAttestation(bytes: Uint8Array): Attestation {
  const reader = new Reader(bytes);
  expectBytes(reader, DOMAIN, 'attestation domain');
  const head = {
    serverId: reader.hash(),
    role: reader.u8() as Role,
    actor: reader.u16(),
    epoch: reader.u64(),
    base: { size: reader.u64(), root: reader.hash() },
    manifestHash: reader.hash(),
    placementRoot: reader.hash(),
    inputs: reader.hash(),
  };
  const outputs = Array.from({ length: reader.u16() }, () => ({
    entries: reader.u32(),
    leaves: reader.u32(),
    root: reader.hash(),
  }));
  reader.end();
  return { ...head, outputs };
}

/** H(`csign1at` ‖ signed bytes). */
export function attestationHash(signedBytes: Uint8Array): Uint8Array {
  return sha256(concat(HASH_TAG, signedBytes));
}

/** Over the hashes of the attestations consumed, in order; none for an inbox. */
export function inputsHash(hashes: readonly Uint8Array[]): Uint8Array {
  const out = new Writer(10 + hashes.length * HASH_BYTES).bytes(INPUTS_TAG).u16(hashes.length);
  for (const hash of hashes) out.bytes(hash);
  return sha256(out.done());
}
