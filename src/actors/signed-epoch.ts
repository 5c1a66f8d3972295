/** The epoch that an outbox has signed and that is not committed yet. */
import type { Tree } from '../protocol/index.js';
import type { Links } from './epoch-file.js';

export interface Still {
  /** Position of its leaf in the output. */
  readonly position: number;
  readonly trimmedThrough: number;
}

export interface SignedEpoch {
  readonly links: Links;
  readonly bodies: Uint8Array;
  /** Over its leaves. */
  readonly tree: Tree;
  /** By mailbox. */
  readonly stills: ReadonlyMap<string, Still>;
  /** Recycled memory that all of it lies in. */
  readonly blocks: readonly Uint8Array[];
}
