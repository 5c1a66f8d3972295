/**
 * Leaves of what stages have signed, rebuilt from what is stored: rows of inboxes are laid out in pages again, items of
 * routers and receivers are the rows of the links, sorted alike. In steps, because an epoch may be large.
 */
import { sha256 } from '#crypto';
import {
  buildTree,
  compareBytes,
  concat,
  copy32,
  copyShort,
  hashPages,
  INBOX_ROW_BYTES,
  ITEM_ROW_BYTES,
  multiproof,
  PAGE_ENTRIES,
  pagesBytes,
  rowAt,
  treeRoot,
  viewOf,
} from '../protocol/index.js';
import type { Links } from './epoch-file.js';
import type { InboxRows } from './inbox-rows.js';

/** Work in steps of about a millisecond, between which others have their turn. */
export type Steps<T> = Generator<undefined, T, undefined>;

export interface Leaves {
  readonly count: number;
  /** Leaves that are hashed in a step. A power of two. */
  readonly perStep: number;
  /** Hashes of the leaves from `from` on, below `to`, packed; hold until the store's next read. */
  hashes(from: number, to: number): Uint8Array;
  /** Those that show what is asked for, or between which it would lie. Rising. */
  readonly shown: readonly number[];
  /** Null where it is not kept. */
  preimage(leaf: number): Uint8Array | null;
}

/** mailbox 32 ‖ inbox 2 ‖ index 4: what items sort by. */
export const ITEM_KEY_BYTES = 38;
export const PLACE_AT = 32;

const PAGES_PER_STEP = 32;
const NOTHING = new Uint8Array(0);

/**
 * Which of `count` leaves in order show what is asked for: `holder`, the last that begins at or before it (−1 = none)
 * and, where that one ends before it, the next.
 */
export function around(holder: number, endsBefore: boolean, count: number): number[] {
  if (count === 0) return [];
  if (holder < 0) return [0];
  return endsBefore && holder + 1 < count ? [holder, holder + 1] : [holder];
}

/** Pages of an inbox's rows, as `read` gives them each time; the one with row `index` is shown. */
export function inboxLeaves(read: () => InboxRows, index: number): Leaves {
  const count = Math.ceil(read().count / PAGE_ENTRIES);
  return {
    count,
    perStep: PAGES_PER_STEP,
    hashes(from, to) {
      const rows = read();
      const pages = rows.pages(from * PAGE_ENTRIES, to * PAGE_ENTRIES);
      return hashPages(pages, Math.min(to * PAGE_ENTRIES, rows.count) - from * PAGE_ENTRIES, INBOX_ROW_BYTES);
    },
    shown: around(Math.floor(index / PAGE_ENTRIES), false, count),
    preimage: (leaf) => read().pages(leaf * PAGE_ENTRIES, (leaf + 1) * PAGE_ENTRIES),
  };
}

/** A row of the links, and the mailbox that it is of. */
interface Cursor {
  header: number;
  row: number;
}

/** Pages of the links' rows of one inbox (a router's output) or of all (a receiver's), around the item with that key. */
export class ItemPages implements Leaves {
  readonly perStep = 512;
  private readonly starts: Cursor[] = [];
  private packed: Uint8Array = NOTHING;
  private readonly page = new Uint8Array(pagesBytes(PAGE_ENTRIES, ITEM_ROW_BYTES));
  private readonly view = viewOf(this.page);
  shown: readonly number[] = [];

  /** `links`: read anew each time; null where the outbox has none. */
  constructor(
    private readonly links: () => Links | null,
    prefix: Uint8Array,
    private readonly inbox: number | null,
  ) {
    this.page.set(prefix);
  }

  get count(): number {
    return this.starts.length;
  }

  /** Goes through all rows once. */
  *build(key: Uint8Array): Steps<this> {
    const hashes: Uint8Array[] = [];
    const cursor = { header: 0, row: 0 };
    let [holder, endsBefore] = [-1, false];
    for (let links = this.links(); links && cursor.row < links.rows; links = this.links()) {
      for (let n = 0; n < PAGES_PER_STEP; n++) {
        const start = { ...cursor };
        const page = this.fill(links, cursor);
        if (page.length === 0) break;
        if (compareBytes(page, rowAt(0, ITEM_ROW_BYTES), key, 0, ITEM_KEY_BYTES) <= 0) {
          holder = this.count;
          endsBefore = compareBytes(page, page.length - ITEM_ROW_BYTES, key, 0, ITEM_KEY_BYTES) < 0;
        }
        this.starts.push(start);
        hashes.push(sha256(page));
      }
      yield;
    }
    this.packed = concat(...hashes);
    this.shown = around(holder, endsBefore, this.count);
    return this;
  }

  /** The next page; empty behind the last. */
  private fill(links: Links, cursor: Cursor): Uint8Array {
    const { view, inbox } = this;
    let rows = 0;
    for (; cursor.row < links.rows && rows < PAGE_ENTRIES; cursor.row++) {
      while (cursor.row >= links.firstRow(cursor.header) + links.rowCount(cursor.header)) cursor.header++;
      const from = links.rowAt(cursor.row);
      if (inbox !== null && links.view.getUint16(from) !== inbox) continue;
      const to = rowAt(rows++, ITEM_ROW_BYTES);
      copy32(links.view, links.headerAt(cursor.header), view, to);
      copyShort(links.view, from, view, to + 32, ITEM_ROW_BYTES - 32);
    }
    return rows === 0 ? NOTHING : this.page.subarray(0, rowAt(rows - 1, ITEM_ROW_BYTES) + ITEM_ROW_BYTES);
  }

  hashes(from: number, to: number): Uint8Array {
    return this.packed.subarray(from * 32, to * 32);
  }

  preimage(leaf: number): Uint8Array | null {
    const links = this.links();
    return links && this.fill(links, { ...this.starts[leaf]! }).slice();
  }
}

/** The root over all leaves, and the audit paths of those that are shown. */
export function* proveLeaves(leaves: Leaves): Steps<{ root: Uint8Array; paths: Uint8Array[] }> {
  const { count, perStep, shown } = leaves;
  const paths: Uint8Array[] = [];
  const roots: Uint8Array[] = [];
  // A subtree over perStep leaves is a node of the whole tree, and so is what is left at the end.
  for (let from = 0; from < count; from += perStep) {
    const tree = buildTree(leaves.hashes(from, Math.min(from + perStep, count)));
    for (const leaf of shown) {
      if (leaf >= from && leaf < from + perStep) paths.push(multiproof(tree, [leaf - from]));
    }
    roots.push(Uint8Array.from(treeRoot(tree)));
    yield;
  }
  const top = buildTree(concat(...roots));
  const upper = (leaf: number) => multiproof(top, [Math.floor(leaf / perStep)]);
  return { root: treeRoot(top), paths: paths.map((path, i) => concat(path, upper(shown[i]!))) };
}
