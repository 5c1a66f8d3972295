/** An outbox's share of an epoch: its leaves are what it signed, well formed, and go on where their chains stood. */
import { sha256 } from '#crypto';
import { compareBytes, equalBytes, FormatError, getU16, getU64, sameBytes } from '../bytes.js';
import { LINK_ENTRY_BYTES, LINK_HEADER_BYTES, LINK_PREFIX, STILL_PREFIX } from '../chain.js';
import type { Claim } from '../claim.js';
import { PAGE_ENTRIES } from '../limits.js';
import { inForceAt } from '../manifest-chain.js';
import { merkleRoot } from '../merkle-tree.js';
import { ITEM_INBOX_AT, ITEM_ROW_BYTES, pagesBytes } from '../pages.js';
import { short } from './findings.js';
import { idText } from './id-table.js';
import { ITEM_KEY_BYTES, type ItemList, itemAt, newItems } from './items.js';
import type { Prover } from './prover.js';
import type { KeptEpoch, KeptLeaf, KeptOutbox } from './source.js';
import { type EpochView, outputOf } from './view.js';
import { Actors } from './world.js';

/** Where things lie in a link's part and a still, which begin alike. */
const MAILBOX_AT = 9;
const EPOCH_AT = 41;
const PART_AT = 49;
const PARTS_AT = 51;
const LINK = { lastEpoch: 53, total: 61, head: 69, count: 101 } as const;
const STILL = { lastEpoch: 49, total: 57, head: 65, trimmed: 97, bytes: 105 } as const;

/** The items of its links; null when what is kept is not what it signed. */
export function auditOutbox(view: EpochView, outbox: number): ItemList | null {
  const { kept, report, actors } = view;
  const who = `outbox ${outbox}`;
  const share = kept.outboxes[outbox];
  if (!share || 'unreadable' in share) {
    const why = share ? share.unreadable : 'there are none';
    report({ kind: 'missing', who, text: `the links of ${who} cannot be read: ${why}`, proof: null });
    return null;
  }
  const hashes = hashesOf(share);
  const { leaves, root, entries } = outputOf(view, actors.outbox(outbox));
  const isWhole = share.leaves.length === leaves && equalBytes(merkleRoot(hashes), root);
  if (!isWhole) {
    const text = `the ${share.leaves.length} links and stills that are kept of ${who} are not the ${leaves} that it signed`;
    report({ kind: 'output', who, text, proof: null });
    return null;
  }
  const off = share.leaves.findIndex(({ hash }, i) => !sameBytes(hash, 0, hashes, i * 32, 32));
  if (off >= 0) {
    const text = `the hash that is kept with leaf ${off} of ${who} is not the leaf’s`;
    report({ kind: 'cache', who, text, proof: null });
  }
  return new OutboxLeaves(view, outbox, share.leaves, hashes, entries).audit();
}

function hashesOf({ leaves }: KeptOutbox): Uint8Array {
  const hashes = new Uint8Array(leaves.length * 32);
  for (const [i, { preimage }] of leaves.entries()) hashes.set(sha256(preimage), i * 32);
  return hashes;
}

class OutboxLeaves {
  private readonly items: ItemList;
  private count = 0;

  constructor(
    private readonly view: EpochView,
    private readonly outbox: number,
    private readonly leaves: readonly KeptLeaf[],
    private readonly hashes: Uint8Array,
    private readonly entries: number,
  ) {
    this.items = newItems(leaves.reduce((sum, { preimage }) => sum + entriesIn(preimage), 0));
  }

  audit(): ItemList {
    const { outbox, view } = this;
    for (const [i, { preimage }] of this.leaves.entries()) {
      try {
        this.leaf(i, preimage);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.tell('leaf', i, error.message, 0);
      }
    }
    if (this.count !== this.entries) {
      const text = `outbox ${outbox} signed ${this.entries} entries, and its links have ${this.count}`;
      view.report({ kind: 'output', who: `outbox ${outbox}`, text, proof: null });
    }
    return { count: this.count, pages: this.items.pages.subarray(0, pagesBytes(this.count, ITEM_ROW_BYTES)) };
  }

  /** `before`: the epoch of an earlier leaf of the mailbox that it does not fit; 0 = none. */
  private tell(kind: 'leaf' | 'chain', i: number, what: string, before: number): void {
    const { view, outbox, leaves } = this;
    const { kept, actors } = view;
    const mailbox = leaves[i]!.preimage.slice(MAILBOX_AT, MAILBOX_AT + 32);
    const text = `leaf ${i} of outbox ${outbox}, of mailbox ${short(mailbox)}, ${what}`;
    view.report({
      kind,
      who: `outbox ${outbox}`,
      text,
      proof: async (prover) => {
        const preimages = leaves.map(({ preimage }) => preimage);
        const shown = [i - 1, i, i + 1];
        const claims = await prover.openSigned(kept, actors.outbox(outbox), 0, preimages, shown);
        const others = before > 0 ? await lastLeafOf(prover, before, mailbox) : [];
        return { claims: [...claims, ...others], ...(await prover.handed('outbox', mailbox)) };
      },
    });
  }

  private leaf(i: number, leaf: Uint8Array): void {
    const { view, outbox } = this;
    const isLink = startsWith(leaf, LINK_PREFIX);
    const isWhole = isLink
      ? leaf.length === LINK_HEADER_BYTES + entriesIn(leaf) * LINK_ENTRY_BYTES
      : startsWith(leaf, STILL_PREFIX) && leaf.length === STILL.bytes;
    if (!isWhole) throw new FormatError('is neither a part of a link nor a still');
    // First of all, so that routers and receivers can be held against what it has, right or wrong.
    const fault = isLink ? this.put(leaf, entriesIn(leaf)) : null;
    if (fault) throw new FormatError(fault);
    if (getU64(leaf, EPOCH_AT) !== view.kept.epoch) throw new FormatError('is of another epoch');
    if (view.world.placed(view.manifest, leaf, MAILBOX_AT).outbox !== outbox)
      throw new FormatError('is of a mailbox that another outbox keeps');
    if (getU64(leaf, isLink ? LINK.lastEpoch : STILL.lastEpoch) >= view.kept.epoch)
      throw new FormatError('goes on from an epoch that does not lie before it');
    const mailbox = idText(leaf, MAILBOX_AT);
    if (isLink) this.link(i, leaf, mailbox);
    else this.still(i, leaf, mailbox);
  }

  private still(i: number, leaf: Uint8Array, mailbox: string): void {
    this.mustRise(i, leaf);
    const state = stateAt(leaf, STILL);
    if (getU64(leaf, STILL.trimmed) > state.lastEpoch)
      throw new FormatError('is trimmed beyond its last link');
    if (state.lastEpoch > 0 !== state.total > 0) throw new FormatError('has a total that does not fit');
    const broken = this.view.state.chainBreak(mailbox, state);
    if (broken) this.tell('chain', i, broken.text, broken.before);
  }

  private link(i: number, leaf: Uint8Array, mailbox: string): void {
    const { view } = this;
    const n = getU16(leaf, LINK.count);
    const [part, parts] = [getU16(leaf, PART_AT), getU16(leaf, PARTS_AT)];
    const state = stateAt(leaf, LINK);
    const before = { ...state, total: state.total - n };
    if (part === 0) {
      this.mustRise(i, leaf);
      const broken = view.state.chainBreak(mailbox, before);
      if (broken) this.tell('chain', i, broken.text, broken.before);
    } else this.mustFollow(i, leaf, part, parts, before);
    if (part >= parts || n === 0 || n > PAGE_ENTRIES || (n < PAGE_ENTRIES && part < parts - 1))
      throw new FormatError(`is part ${part} of ${parts}, with ${n} entries`);
    const own = part * PAGE_ENTRIES + n;
    if (state.lastEpoch === 0 ? state.total !== own : state.total <= own)
      throw new FormatError('has a total that does not fit');
    const next = this.leaves[i + 1]?.preimage;
    if (part < parts - 1 && !(next && isNextPart(next, leaf))) throw new FormatError('has no part behind it');
    if (part === parts - 1) {
      const head = this.hashes.subarray(i * 32, i * 32 + 32);
      view.state.moveChain(mailbox, { lastEpoch: view.kept.epoch, total: state.total, head });
    }
  }

  /** A first part or a still stands behind another mailbox's leaves. */
  private mustRise(i: number, leaf: Uint8Array): void {
    const before = this.leaves[i - 1]?.preimage;
    if (before && compareBytes(before, MAILBOX_AT, leaf, MAILBOX_AT, 32) >= 0)
      throw new FormatError('does not sort behind the leaf before it');
  }

  private mustFollow(
    i: number,
    leaf: Uint8Array,
    part: number,
    parts: number,
    { lastEpoch, total, head }: ReturnType<typeof stateAt>,
  ): void {
    const before = this.leaves[i - 1]?.preimage;
    const follows =
      before !== undefined &&
      isNextPart(leaf, before) &&
      getU16(before, PARTS_AT) === parts &&
      part === getU16(before, PART_AT) + 1 &&
      getU64(before, LINK.lastEpoch) === lastEpoch &&
      getU64(before, LINK.total) === total &&
      sameBytes(head, 0, this.hashes, (i - 1) * 32, 32);
    if (!follows) throw new FormatError('does not follow the part before it');
  }

  /** What is wrong with its entries, if anything. */
  private put(leaf: Uint8Array, n: number): string | null {
    const { inboxes } = this.view.actors;
    const { pages } = this.items;
    let fault: string | null = null;
    for (let e = 0; e < n; e++, this.count++) {
      const entry = LINK_HEADER_BYTES + e * LINK_ENTRY_BYTES;
      const at = itemAt(this.count);
      pages.set(leaf.subarray(MAILBOX_AT, MAILBOX_AT + 32), at);
      pages.set(leaf.subarray(entry, entry + LINK_ENTRY_BYTES), at + ITEM_INBOX_AT);
      if (getU16(leaf, entry) >= inboxes) fault ??= 'has an entry of an inbox that there is not';
      const rises =
        this.count === 0 || compareBytes(pages, itemAt(this.count - 1), pages, at, ITEM_KEY_BYTES) < 0;
      if (!rises) fault ??= 'has entries that do not rise';
    }
    return fault;
  }
}

/** A mailbox's last leaf in an epoch, by whichever outbox had it; none where the epoch, or a leaf, is not kept. */
export async function lastLeafOf(prover: Prover, epoch: number, mailbox: Uint8Array): Promise<Claim[]> {
  const { world } = prover;
  const kept = await prover.kept(epoch);
  if (!kept) return [];
  const { manifest } = inForceAt(world.versions, epoch);
  const { outbox } = world.placed(manifest, mailbox);
  const leaves = leavesOf(kept, outbox);
  const last = leaves.findLastIndex((leaf) => sameBytes(leaf, MAILBOX_AT, mailbox, 0, 32));
  return prover.openSigned(kept, new Actors(manifest).outbox(outbox), 0, leaves, [last]);
}

/** What is kept of an outbox's leaves; none when that cannot be read. */
export function leavesOf({ outboxes }: KeptEpoch, outbox: number): Uint8Array[] {
  const share = outboxes[outbox];
  return share && 'leaves' in share ? share.leaves.map(({ preimage }) => preimage) : [];
}

function stateAt(leaf: Uint8Array, at: typeof LINK | typeof STILL) {
  return {
    lastEpoch: getU64(leaf, at.lastEpoch),
    total: getU64(leaf, at.total),
    head: leaf.subarray(at.head, at.head + 32),
  };
}

const startsWith = (leaf: Uint8Array, prefix: Uint8Array) =>
  leaf.length > LINK.count && sameBytes(leaf, 0, prefix, 0, prefix.length);

/** 0 where it is no link. */
function entriesIn(leaf: Uint8Array): number {
  return startsWith(leaf, LINK_PREFIX) && leaf.length >= LINK_HEADER_BYTES ? getU16(leaf, LINK.count) : 0;
}

/** Whether it is a link's part, not the first, of the same mailbox. */
function isNextPart(leaf: Uint8Array, before: Uint8Array): boolean {
  return (
    startsWith(leaf, LINK_PREFIX) &&
    startsWith(before, LINK_PREFIX) &&
    getU16(leaf, PART_AT) > 0 &&
    sameBytes(leaf, MAILBOX_AT, before, MAILBOX_AT, 32)
  );
}
