/** A hand-over as it is kept, read: its statement, and its leaves where they are what was signed. */
import { ROLE_NAMES } from '../attestation.js';
import { compareBytes, equalBytes, FormatError, SIGNATURE_BYTES } from '../bytes.js';
import {
  decodeHandOver,
  HAND_OVER_BYTES,
  HANDED_BYTES,
  type HandOver,
  handedHashes,
  handedLeaf,
} from '../hand-over.js';
import { buildTree, multiproof, type Tree, treeRoot } from '../merkle-tree.js';
import type { OpenedHandOver } from '../opened-hand-over.js';
import type { OpenedLeaf } from '../statement.js';
import type { KeptHandOver } from './source.js';

export class Handed {
  /** Null where it cannot be read. */
  readonly said: HandOver | null;
  readonly signed: Uint8Array;
  readonly signatures: { readonly from: Uint8Array; readonly to: Uint8Array };
  private readonly bytes: number;
  private tree: Tree | null = null;

  constructor(readonly kept: KeptHandOver) {
    const { statement, role } = kept;
    const [first, second] = [HAND_OVER_BYTES, HAND_OVER_BYTES + SIGNATURE_BYTES];
    this.signed = statement.subarray(0, first);
    this.signatures = { from: statement.subarray(first, second), to: statement.subarray(second) };
    const isWhole = statement.length === second + SIGNATURE_BYTES;
    this.said = isWhole ? saidOrNull(this.signed) : null;
    this.bytes = HANDED_BYTES[role];
  }

  /** Whether its leaves are kept, and are what was signed. */
  get isWhole(): boolean {
    const { said, count } = this;
    return said !== null && said.leaves === count && equalBytes(treeRoot(this.built()), said.root);
  }

  /** Of the leaves that are kept; not whole where they are cut. */
  get count(): number {
    return (this.kept.leaves?.length ?? 0) / this.bytes;
  }

  /** Without its prefix. */
  at(index: number): Uint8Array {
    return this.kept.leaves!.subarray(index * this.bytes, (index + 1) * this.bytes);
  }

  /** The leaf of an id, or those beside where it would be. */
  around(id: Uint8Array): number[] {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareBytes(this.at(middle), 0, id, 0, 32) >= 0) high = middle;
      else low = middle + 1;
    }
    const isThere = low < this.count && compareBytes(this.at(low), 0, id, 0, 32) === 0;
    return isThere ? [low] : [low - 1, low];
  }

  /** With these of its leaves, as far as there are such. */
  open(shown: readonly number[]): OpenedHandOver {
    const { signed, signatures } = this;
    return { signed, ...signatures, leaves: this.opened(shown) };
  }

  private opened(shown: readonly number[]): OpenedLeaf[] {
    if (!this.isWhole) return [];
    const { role } = this.kept;
    return shown
      .filter((index) => index >= 0 && index < this.count)
      .map((leafIndex) => ({
        leaf: handedLeaf(role, this.at(leafIndex)),
        leafIndex,
        outputPath: multiproof(this.built(), [leafIndex]),
      }));
  }

  /** Over as many leaves as are whole. */
  private built(): Tree {
    if (this.tree) return this.tree;
    this.tree = buildTree(handedHashes(this.kept.role, this.kept.leaves ?? new Uint8Array(0)));
    return this.tree;
  }
}

function saidOrNull(signed: Uint8Array): HandOver | null {
  try {
    return decodeHandOver(signed);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

/** What a hand-over is called. */
export const handingText = ({ role, from, to }: Pick<KeptHandOver, 'role' | 'from' | 'to'>): string =>
  `${ROLE_NAMES[role]} ${from} to ${ROLE_NAMES[role]} ${to}`;
