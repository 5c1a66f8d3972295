/**
 * The way to a mailbox's oldest links. A link names only the one before it, so the way back from the newest
 * leads through all; every so many links a waymark is stored, and a walk begins at the first one it needs.
 */
import { getU64 } from '../protocol/index.js';
import type { Links } from './epoch-file.js';
import type { Weight } from './mailbox-state.js';
import type { StoreReader, StoreRecord } from './messages.js';
import { waymarkKey } from './store-keys.js';

/** Links from one waymark to the next: the most that a walk goes through. */
export const WAYMARK_LINKS = 64;

/** Not all mailboxes have theirs in the same epochs. */
export function isWaymark(links: Links, i: number): boolean {
  return links.spreadNumber(i) % WAYMARK_LINKS === 0;
}

/** What is stored with an epoch. */
export function waymarks(links: Links): StoreRecord[] {
  const records: StoreRecord[] = [];
  for (let i = 0; i < links.mailboxes; i++) {
    if (isWaymark(links, i))
      records.push({ key: waymarkKey(links.mailbox(i), links.epoch), value: Uint8Array.of(1) });
  }
  return records;
}

/** Links of a chain from one state of it to a later one. */
export function linksBetween(from: Weight, to: Weight): number {
  return (to.links - from.links + to.own - from.own) >>> 0;
}

/** Where a walk back to the link behind epoch `after` begins, at `end` or before; `links` = how many there may be. */
export function walkFrom(
  reader: StoreReader,
  mailbox: string,
  after: number,
  end: number,
  links: number,
): number {
  if (links > WAYMARK_LINKS)
    for (const key of reader.keys(waymarkKey(mailbox, after + 1), waymarkKey(mailbox, end)))
      return getU64(key, 33);
  return end;
}
