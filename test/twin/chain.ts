/** The chain of a mailbox: links, and stills that say that nothing came. */
import { ascii, fixed, H, join, partsOf, u8, u16, u32, u64 } from './bytes.js';

export interface ChainEntry {
  inbox: number;
  index: number;
  messageHash: Buffer;
}

/** What is known of a mailbox's chain between two epochs. */
export interface Chain {
  /** Epoch of the last link, 0 = none yet. */
  lastEpoch: bigint;
  /** Entries in all links together. */
  total: bigint;
  /** Hash of the last link, or the chain seed before the first. */
  head: Buffer;
  /** Epoch through which acknowledged mail was deleted, 0 = none. */
  trimmedThrough: bigint;
}

export interface Link {
  mailbox: Buffer;
  epoch: bigint;
  part: number;
  parts: number;
  previousEpoch: bigint;
  total: bigint;
  previousHead: Buffer;
  entries: ChainEntry[];
}

export interface Still {
  mailbox: Buffer;
  epoch: bigint;
  lastEpoch: bigint;
  total: bigint;
  head: Buffer;
  trimmedThrough: bigint;
}

/** The chain of a mailbox that never received anything. */
export function newChain(seed: Buffer): Chain {
  return { lastEpoch: 0n, total: 0n, head: fixed(32, seed), trimmedThrough: 0n };
}

/** entry = inbox 2 ‖ index 4 ‖ message hash 32 */
function chainEntry(entry: ChainEntry): Buffer {
  return join(u16(entry.inbox), u32(entry.index), fixed(32, entry.messageHash));
}

/**
 * link = 0x00 ‖ `csign1li` ‖ mailbox 32 ‖ epoch 8 ‖ part 2 ‖ parts 2 ‖ previous epoch 8 ‖ total 8
 *        ‖ previous head 32 ‖ n 2 ‖ n entries; its hash is the new head
 */
export function linkLeaf(link: Link): Buffer {
  return join(
    u8(0x00),
    ascii('csign1li'),
    fixed(32, link.mailbox),
    u64(link.epoch),
    u16(link.part),
    u16(link.parts),
    u64(link.previousEpoch),
    u64(link.total),
    fixed(32, link.previousHead),
    u16(link.entries.length),
    ...link.entries.map(chainEntry),
  );
}

/**
 * still = 0x00 ‖ `csign1st` ‖ mailbox 32 ‖ epoch 8 ‖ last epoch 8 ‖ total 8 ‖ head 32
 *         ‖ trimmed through 8
 */
export function stillLeaf(still: Still): Buffer {
  return join(
    u8(0x00),
    ascii('csign1st'),
    fixed(32, still.mailbox),
    u64(still.epoch),
    u64(still.lastEpoch),
    u64(still.total),
    fixed(32, still.head),
    u64(still.trimmedThrough),
  );
}

/**
 * The links of one mailbox in one epoch: parts of 64 entries, the last may be shorter. All parts
 * name the epoch of the link BEFORE this epoch; each has the head and counts on from the part
 * before it.
 */
export function linksOf(mailbox: Buffer, epoch: bigint, chain: Chain, entries: ChainEntry[]): Link[] {
  const parts = partsOf(64, entries);
  const links: Link[] = [];
  let head = chain.head;
  let total = chain.total;
  for (const [part, partEntries] of parts.entries()) {
    total += BigInt(partEntries.length);
    const link: Link = {
      mailbox,
      epoch,
      part,
      parts: parts.length,
      previousEpoch: chain.lastEpoch,
      total,
      previousHead: head,
      entries: partEntries,
    };
    links.push(link);
    head = H(linkLeaf(link));
  }
  return links;
}

/** The chain after the links of an epoch (one or more). */
export function chainAfter(chain: Chain, links: Link[]): Chain {
  const last = links.at(-1)!;
  return { ...chain, lastEpoch: last.epoch, total: last.total, head: H(linkLeaf(last)) };
}

export function stillOf(mailbox: Buffer, epoch: bigint, chain: Chain): Still {
  return { mailbox, epoch, ...chain };
}
