/** Items of routers and receivers as their pages hold them, and what can be made of them again. */

import { compareBytes, getU16, sameBytes } from '../bytes.js';
import { PAGE_ENTRIES } from '../limits.js';
import { merkleRoot } from '../merkle-tree.js';
import { hashPages, ITEM_INBOX_AT, ITEM_ROW_BYTES, pagesBytes, putPrefixes, rowAt } from '../pages.js';

/** Rows of 70 bytes in page layout: mailbox 32 ‖ inbox 2 ‖ index 4 ‖ message hash 32. Prefixes are set when it is hashed. */
export interface ItemList {
  readonly count: number;
  readonly pages: Uint8Array;
}

/** mailbox 32 ‖ inbox 2 ‖ index 4: what items sort by. */
export const ITEM_KEY_BYTES = 38;

export const itemAt = (x: number): number => rowAt(x, ITEM_ROW_BYTES);

export function newItems(count: number): ItemList {
  return { count, pages: new Uint8Array(pagesBytes(count, ITEM_ROW_BYTES)) };
}

/** The root over the pages of a router (`prefix` its own) or receiver. */
export function itemsRoot({ count, pages }: ItemList, prefix: Uint8Array): Uint8Array {
  putPrefixes(pages, count, ITEM_ROW_BYTES, prefix);
  return merkleRoot(hashPages(pages, count, ITEM_ROW_BYTES));
}

/** The pages, each by itself. */
export function itemPages({ count, pages }: ItemList, prefix: Uint8Array): Uint8Array[] {
  putPrefixes(pages, count, ITEM_ROW_BYTES, prefix);
  return splitPages(pages, ITEM_ROW_BYTES);
}

/** Pages of rows of so many bytes, one behind the other, each by itself. */
export function splitPages(pages: Uint8Array, rowBytes: number): Uint8Array[] {
  const stride = pagesBytes(PAGE_ENTRIES, rowBytes);
  return Array.from({ length: Math.ceil(pages.length / stride) }, (_, i) =>
    pages.slice(i * stride, (i + 1) * stride),
  );
}

/** Those of one inbox, in their order. */
export function ofInbox(items: ItemList, inbox: number): ItemList {
  const rows: number[] = [];
  for (let x = 0; x < items.count; x++)
    if (getU16(items.pages, itemAt(x) + ITEM_INBOX_AT) === inbox) rows.push(itemAt(x));
  if (rows.length === items.count) return items;
  const chosen = newItems(rows.length);
  for (const [x, at] of rows.entries())
    chosen.pages.set(items.pages.subarray(at, at + ITEM_ROW_BYTES), itemAt(x));
  return chosen;
}

/** All rows of several lists, sorted. */
export function merged(lists: readonly ItemList[]): ItemList {
  return sorted(
    lists.flatMap(({ count, pages }) =>
      Array.from({ length: count }, (_, x) => pages.subarray(itemAt(x), itemAt(x) + ITEM_ROW_BYTES)),
    ),
  );
}

export function sorted(rows: Uint8Array[]): ItemList {
  rows.sort((a, b) => compareBytes(a, 0, b, 0, ITEM_KEY_BYTES));
  const items = newItems(rows.length);
  for (const [x, row] of rows.entries()) items.pages.set(row, itemAt(x));
  return items;
}

/** The first row at or behind the key; `count` when there is none. */
export function lowerBound({ count, pages }: ItemList, key: Uint8Array): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes(pages, itemAt(middle), key, 0, ITEM_KEY_BYTES) >= 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Keys of rows that stand in one of two sorted lists alone, or with another message hash. At most `most`. */
export function differences(a: ItemList, b: ItemList, most: number): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (let x = 0, y = 0; (x < a.count || y < b.count) && keys.length < most; ) {
    const [atX, atY] = [itemAt(x), itemAt(y)];
    const order =
      x >= a.count ? 1 : y >= b.count ? -1 : compareBytes(a.pages, atX, b.pages, atY, ITEM_KEY_BYTES);
    if (order !== 0 || !sameBytes(a.pages, atX, b.pages, atY, ITEM_ROW_BYTES))
      keys.push((order <= 0 ? a.pages.slice(atX) : b.pages.slice(atY)).subarray(0, ITEM_KEY_BYTES));
    if (order <= 0) x++;
    if (order >= 0) y++;
  }
  return keys;
}
