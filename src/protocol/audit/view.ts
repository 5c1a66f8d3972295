/** One epoch as it is audited, and what all its checks share. */
import type { Attestation, Output } from '../attestation.js';
import type { EpochLeaf } from '../log.js';
import type { Manifest } from '../manifest.js';
import type { Draft } from './draft.js';
import type { ItemList } from './items.js';
import type { KeptEpoch, SenderRun } from './source.js';
import type { AuditState } from './state.js';
import type { Actors, AuditWorld } from './world.js';

/** An inbox's rows that are what it signed. */
export interface InboxRows {
  readonly count: number;
  /** In page layout. */
  readonly pages: Uint8Array;
  /** Who sent each, and its counter. Null when that is not kept whole. */
  readonly senders: Senders | null;
}

export interface Senders {
  /** Number of the run that a message is of. */
  readonly runOf: Uint32Array;
  readonly runs: readonly SenderRun[];
  sender(index: number): Uint8Array;
  counter(index: number): number;
}

export interface EpochView {
  readonly world: AuditWorld;
  readonly manifest: Manifest;
  readonly actors: Actors;
  readonly kept: KeptEpoch;
  readonly leaf: EpochLeaf;
  /** In epoch-leaf order. */
  readonly statements: readonly Attestation[];
  readonly state: AuditState;
  readonly report: (draft: Omit<Draft, 'epoch'>) => void;
}

/** What stages have signed, as far as it is known again: null where it is not. */
export interface Lists {
  readonly inboxes: readonly (InboxRows | null)[];
  /** By inbox, then by outbox. */
  readonly routers: readonly (readonly (ItemList | null)[])[];
  readonly receivers: readonly (ItemList | null)[];
  /** From links. */
  readonly outboxes: readonly (ItemList | null)[];
}

/** What an actor signed. Statements with other outputs are not audited further. */
export function outputOf({ statements }: EpochView, position: number, output = 0): Output {
  return statements[position]!.outputs[output]!;
}
