/**
 * The items of a batch, sorted by mailbox: one for every recipient of every message, and one for its sender unless
 * it is a recipient itself. No id becomes a string or an object: there are more items than anything else.
 */
import { type BundleCursor, viewOf } from '../protocol/index.js';
import { chunkNumber, jumpTo, runAt } from './batch.js';
import type { Memory } from './memory.js';
import { type MessageBatch, SENT_ONLY } from './messages.js';

/** Bits of a radix pass; three passes sort 32 bits. */
const RADIX_BITS = 11;
const RADIX = 1 << RADIX_BITS;
const PASSES = [0, RADIX_BITS, 2 * RADIX_BITS];
const FIELDS = 7;

export class SortedItems {
  count = 0;
  /** Items in their order: mailboxes rise, then messages. */
  order: Uint32Array;
  /** While it is sorted the other order; then, by place, 1 where the mailbox is that of the item before. */
  private spare: Uint32Array;
  /** Per item, not sorted: where its mailbox's id lies, its first 32 bits, message and position among recipients. */
  private readonly source: Uint32Array;
  private readonly offset: Uint32Array;
  private readonly prefix: Uint32Array;
  readonly message: Uint32Array;
  readonly position: Uint32Array;
  private readonly views: readonly DataView[];
  private readonly block: Uint8Array;

  constructor(
    private readonly batch: MessageBatch,
    cursor: BundleCursor,
    private readonly memory: Memory,
  ) {
    this.views = [...batch.chunks, batch.runs].map(viewOf);
    let most = batch.count;
    for (let x = 0; x < batch.count; x++) {
      jumpTo(cursor, batch, x);
      most += cursor.recipients;
    }
    this.block = memory.take(most * FIELDS * 4);
    const field = (i: number) => new Uint32Array(this.block.buffer, i * most * 4, most);
    this.order = field(0);
    this.spare = field(1);
    this.source = field(2);
    this.offset = field(3);
    this.prefix = field(4);
    this.message = field(5);
    this.position = field(6);
    this.collect(cursor);
    this.sort();
  }

  /** Gives its memory back: nothing here holds any longer. */
  release(): void {
    this.memory.give(this.block);
  }

  /** The bytes that item `i`'s mailbox lies in, at `mailboxAt(i)`. */
  mailboxView(i: number): DataView {
    return this.views[this.source[i]!]!;
  }

  mailboxAt(i: number): number {
    return this.offset[i]!;
  }

  private collect(cursor: BundleCursor): void {
    const { batch } = this;
    const runs = batch.chunks.length;
    for (let x = 0; x < batch.count; x++) {
      jumpTo(cursor, batch, x);
      const chunk = chunkNumber(batch, x);
      const sender = runAt(batch, x);
      let toSelf = false;
      for (let i = 0; i < cursor.recipients; i++) {
        const item = this.add(chunk, cursor.mailboxAt(i), x, i);
        toSelf ||= this.isAt(item, runs, sender);
      }
      if (!toSelf) this.add(runs, sender, x, SENT_ONLY);
    }
  }

  private add(source: number, offset: number, message: number, position: number): number {
    const item = this.count++;
    this.source[item] = source;
    this.offset[item] = offset;
    this.prefix[item] = this.views[source]!.getUint32(offset);
    this.message[item] = message;
    this.position[item] = position;
    return item;
  }

  private isAt(item: number, source: number, offset: number): boolean {
    const view = this.views[source]!;
    if (this.prefix[item] !== view.getUint32(offset)) return false;
    return compareIds(this.mailboxView(item), this.mailboxAt(item), view, offset) === 0;
  }

  /** Whether the item at place `k` is for the mailbox of the one before. */
  isRepeat(k: number): boolean {
    return this.spare[k] === 1;
  }

  private compare(a: number, b: number): number {
    return compareIds(this.mailboxView(a), this.mailboxAt(a), this.mailboxView(b), this.mailboxAt(b));
  }

  private sort(): void {
    for (let item = 0; item < this.count; item++) this.order[item] = item;
    for (const shift of PASSES) this.pass(shift);
    for (let from = 0; from < this.count; ) {
      let end = from + 1;
      const prefix = this.prefix[this.order[from]!];
      while (end < this.count && this.prefix[this.order[end]!] === prefix) end++;
      this.sortRest(from, end);
      from = end;
    }
  }

  /** A stable pass of a radix sort by some bits of the prefix. */
  private pass(shift: number): void {
    const { order, spare, prefix, count } = this;
    const next = new Uint32Array(RADIX + 1);
    for (let k = 0; k < count; k++) next[((prefix[k]! >>> shift) & (RADIX - 1)) + 1]!++;
    for (let digit = 1; digit < RADIX; digit++) next[digit]! += next[digit - 1]!;
    for (let k = 0; k < count; k++) {
      const item = order[k]!;
      spare[next[(prefix[item]! >>> shift) & (RADIX - 1)]!++] = item;
    }
    this.order = spare;
    this.spare = order;
  }

  /** Puts items of one prefix in order: hardly ever more than one mailbox has it. */
  private sortRest(from: number, end: number): void {
    const { order, spare } = this;
    spare[from] = 0;
    for (let k = from + 1; k < end; k++) {
      const difference = this.compare(order[k - 1]!, order[k]!);
      spare[k] = difference === 0 ? 1 : 0;
      if (difference <= 0) continue;
      order.subarray(from, end).sort((a, b) => this.compare(a, b) || a - b);
      k = from; // once more: now they are in order
    }
  }
}

/** Negative, zero or positive as the 32 bytes at `aAt` sort before, with or after those at `bAt`. */
function compareIds(a: DataView, aAt: number, b: DataView, bAt: number): number {
  for (let i = 0; i < 32; i += 4) {
    const difference = a.getUint32(aAt + i) - b.getUint32(bAt + i);
    if (difference !== 0) return difference;
  }
  return 0;
}
