/** Leaves of what an outbox has signed, rebuilt from its links and stills of the epoch as they are stored. */
import { sha256 } from '#crypto';
import {
  compareBytes,
  concat,
  LINK_ENTRY_BYTES,
  linkParts,
  linkPreimage,
  PAGE_ENTRIES,
} from '../protocol/index.js';
import { type Links, lowest } from './epoch-file.js';
import { idAt, idBytes } from './ids.js';
import type { KeptStills } from './kept-stills.js';
import { around, type Leaves, PLACE_AT } from './stage-leaves.js';

export class OutboxLeaves implements Leaves {
  readonly perStep = 512;
  readonly count: number;
  readonly shown: readonly number[];

  /** `links`: read anew each time; null where there are none. `key`: of the item that is asked for. */
  constructor(
    private readonly links: () => Links | null,
    private readonly stills: KeptStills,
    key: Uint8Array,
  ) {
    const known = links();
    this.count = known ? known.leaves : stills.count;
    this.shown = this.around(known, key);
  }

  hashes(from: number, to: number): Uint8Array {
    const links = this.links();
    if (links) return links.leafHashes.subarray(from * 32, to * 32);
    return concat(...Array.from({ length: to - from }, (_, i) => sha256(this.stills.preimage(from + i))));
  }

  /** The mailbox's part that has the place or would have it; its still; else what stands around the mailbox. */
  private around(links: Links | null, key: Uint8Array): number[] {
    const { stills } = this;
    const mailbox = idAt(key, 0);
    const link = links?.find(mailbox) ?? -1;
    if (links && link >= 0) return partsAround(links, link, key);
    const still = stills.countBelow(mailbox);
    if (stills.isOf(still, mailbox)) return [stills.position(still)];
    const linked = links?.countBelow(mailbox) ?? 0;
    const below = Math.max(
      links && linked > 0 ? links.position(linked - 1) + linkParts(links.rowCount(linked - 1)) : 0,
      still > 0 ? stills.position(still - 1) + 1 : 0,
    );
    return around(below - 1, true, this.count);
  }

  preimage(leaf: number): Uint8Array | null {
    const links = this.links();
    const link = links ? lowest(0, links.mailboxes, (i) => links.position(i) > leaf) - 1 : -1;
    const part = links && link >= 0 ? leaf - links.position(link) : 0;
    if (links && link >= 0 && part < linkParts(links.rowCount(link))) return partPreimage(links, link, part);
    const { stills } = this;
    const still = lowest(0, stills.count, (i) => stills.position(i) >= leaf);
    return still < stills.count && stills.position(still) === leaf ? stills.preimage(still) : null;
  }
}

/** Entries of a link rise by place, through all its parts. */
function partsAround(links: Links, link: number, key: Uint8Array): number[] {
  const row = links.rowFrom(link, key, PLACE_AT) - links.firstRow(link);
  const at = links.rowAt(links.firstRow(link) + row);
  const isThere = row < links.rowCount(link) && compareBytes(links.bytes, at, key, PLACE_AT, 6) === 0;
  const holder = isThere ? row : row - 1;
  const endsBefore = !isThere && row % PAGE_ENTRIES === 0;
  const part = Math.floor(holder / PAGE_ENTRIES);
  return around(part, endsBefore, linkParts(links.rowCount(link))).map((each) => links.position(link) + each);
}

/** Of a part of a mailbox's link. */
export function partPreimage(links: Links, link: number, part: number): Uint8Array {
  const before = links.chainBefore(link);
  const from = part * PAGE_ENTRIES;
  const rows = links.rowCount(link);
  const entries = Array.from({ length: Math.min(PAGE_ENTRIES, rows - from) }, (_, i) => {
    const at = links.rowAt(links.firstRow(link) + from + i);
    return links.bytes.subarray(at, at + LINK_ENTRY_BYTES);
  });
  const headAt = links.leafAt(links.position(link) + part - 1);
  const head = part === 0 ? before.head : links.bytes.subarray(headAt, headAt + 32);
  const chain = { lastEpoch: before.lastEpoch, total: before.total + from, head };
  return linkPreimage(
    idBytes(links.mailbox(link)),
    links.epoch,
    part,
    linkParts(rows),
    chain,
    concat(...entries),
  );
}
