/** What actors have signed in a theatre, and the log of it. */
import { sha256 } from '#crypto';
import { Links } from '../../src/actors/epoch-file.js';
import { KeptStills } from '../../src/actors/kept-stills.js';
import type { StoreRecord } from '../../src/actors/messages.js';
import { OutboxLeaves } from '../../src/actors/outbox-leaves.js';
import { TABLE, type Table } from '../../src/actors/store-keys.js';
import {
  attestationHash,
  type Checkpoint,
  concat,
  decodeAttestation,
  type EpochLeaf,
  equalBytes,
  merkleRoot,
  PAGE_ENTRIES,
  pagesBytes,
  type Role,
  type SignedAttestation,
} from '../../src/protocol/index.js';
import * as twin from '../twin/index.js';

/** Of every theatre. */
export const ACTORS = { inboxes: 2, outboxes: 3 };

/** What an actor has signed in an epoch, with everything under it: leaves of each output. */
export interface Act {
  readonly role: Role;
  readonly index: number;
  readonly epoch: number;
  readonly signed: SignedAttestation;
  readonly outputs: readonly (readonly Uint8Array[])[];
  /** Which outputs went to their consumers in another form: these are the maker's alone. */
  readonly astray?: readonly number[];
}

export interface CommittedEpoch {
  readonly epoch: number;
  readonly leaf: EpochLeaf;
  readonly attestations: readonly SignedAttestation[];
}

/** A view of the log: its epochs from the first, and the checkpoint over them. */
export interface Log {
  readonly epochs: readonly CommittedEpoch[];
  readonly checkpoint: Checkpoint;
}

/** Where an actor's statement stands in the log, if it does. */
export function positionOf({ role, index }: Act, attestations: readonly SignedAttestation[]): number {
  return attestations
    .map(({ bytes }) => decodeAttestation(bytes))
    .findIndex((each) => each.role === role && each.actor === index);
}

/** Whether these leaves are what it has signed as that output. */
export function isOver({ bytes }: SignedAttestation, output: number, leaves: readonly Uint8Array[]): boolean {
  const { root } = decodeAttestation(bytes).outputs[output]!;
  return equalBytes(merkleRoot(concat(...leaves.map((leaf) => sha256(leaf)))), root);
}

export function twinActorLeaf(bytes: Uint8Array, signature: Uint8Array): Buffer {
  return twin.H(concat(twin.ascii('\0csign1ac'), attestationHash(bytes), signature));
}

/** What an outbox has signed, as what it stores of it says. */
export function outboxLeaves(epoch: number, records: readonly StoreRecord[]): Uint8Array[] {
  const of = (table: Table) => records.find(({ key }) => key[0] === table)?.value;
  const kept = of(TABLE.links);
  const links = kept ? Links.read(kept) : null;
  const stills = new KeptStills(of(TABLE.stills) ?? new Uint8Array(0), epoch);
  const leaves = new OutboxLeaves(() => links, stills, new Uint8Array(38));
  return Array.from({ length: leaves.count }, (_, i) => Uint8Array.from(leaves.preimage(i)!));
}

export function pagesOf(pages: Uint8Array, rows: number, rowBytes: number): Uint8Array[] {
  const stride = 9 + PAGE_ENTRIES * rowBytes;
  const end = pagesBytes(rows, rowBytes);
  const out: Uint8Array[] = [];
  for (let at = 0; at < end; at += stride) out.push(pages.slice(at, Math.min(at + stride, end)));
  return out;
}
