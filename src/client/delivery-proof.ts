/** What one verified delivery leaves behind, so that a whole claim can be made of any of its leaves (claims.ts). */
import type { ChainState, Deliver, EpochLeaf } from '../protocol/index.js';
import type { LogStep } from './log-state.js';

/** Shared by all mailboxes of a frame. */
export interface DeliveryProof {
  readonly deliver: Deliver;
  readonly attestation: Uint8Array;
  readonly epochLeaf: EpochLeaf;
  readonly step: LogStep;
  /** Of our leaves in the outbox's output. */
  readonly positions: readonly number[];
  readonly hashes: Uint8Array;
  /** Of all links: their entries, 38 bytes each. */
  readonly rows: Uint8Array;
}

/** A mailbox's link as it was verified. */
export interface LinkProof {
  readonly delivery: DeliveryProof;
  readonly mailbox: Uint8Array;
  readonly before: ChainState;
  readonly entries: { readonly length: number };
  /** Where its entries lie among the rows. */
  readonly firstRow: number;
  /** Which of the frame's own leaves is the link's first part. */
  readonly firstLeaf: number;
}

/** A mailbox's still as it was verified. */
export interface StillProof {
  readonly delivery: DeliveryProof;
  readonly mailbox: Uint8Array;
  readonly next: { readonly chain: ChainState };
  readonly trimmedThrough: number;
  /** Which of the frame's own leaves it is. */
  readonly leaf: number;
}
