/**
 * The newest epochs that brought a mailbox something, in order. Each is kept as the bytes that a store keeps of it, which the
 * store may share, so that a message weighs little more than what it is; as objects only while rosters in it are to be checked.
 */
import { decode } from '../protocol/fields.js';
import type { Range } from './log-range.js';
import { encoded, epochField, type KeptEpoch } from './vector-format.js';

interface Kept {
  readonly number: number;
  readonly epoch: number;
  readonly pairs: number;
  /** Null: `bytes` say it. Else they are empty. */
  readonly open: KeptEpoch | null;
  readonly bytes: Uint8Array;
}

/** Beside the bytes: of an epoch, and of its digest in the chain of a pair. */
const OBJECTS = 500;
const STEP = 600;
/** Of a message in an open one. */
const MESSAGE = 2000;
const NOTHING = new Uint8Array(0);

export class KeptEpochs {
  private readonly all: Kept[] = [];
  private settledThrough = 0;
  /** That they take in memory, about. */
  weight = 0;

  get length(): number {
    return this.all.length;
  }

  get first(): { readonly number: number; readonly epoch: number } | undefined {
    return this.all[0];
  }

  /** What gives the bytes to save. */
  push(epoch: KeptEpoch): () => Uint8Array {
    return this.put(this.all.length, epoch);
  }

  /** In place of what was kept of the same epoch. What gives the bytes to save. */
  replace(epoch: KeptEpoch): () => Uint8Array {
    const at = this.indexOf(epoch.epoch);
    this.weight -= weightOf(this.all[at]!);
    return this.put(at, epoch);
  }

  private put(at: number, epoch: KeptEpoch): () => Uint8Array {
    const kept = packed(epoch);
    this.all[at] = kept;
    this.weight += weightOf(kept);
    return () => bytesOf(kept);
  }

  shift(): KeptEpoch {
    const kept = this.all.shift()!;
    this.weight -= weightOf(kept);
    return whole(kept);
  }

  private indexOf(epoch: number): number {
    return this.all.findIndex((each) => each.epoch === epoch);
  }

  at(epoch: number): KeptEpoch | undefined {
    const kept = this.all[this.indexOf(epoch)];
    return kept && whole(kept);
  }

  /** The first behind this one. */
  behind(epoch: number): KeptEpoch | undefined {
    const kept = this.all.find((each) => each.epoch > epoch);
    return kept && whole(kept);
  }

  /** The newest, in order: so many at the most. */
  newest(most: number): readonly KeptEpoch[] {
    return this.all.slice(-most).map(whole);
  }

  /** Each with what gives the bytes to save. */
  *saving(): Generator<[{ readonly number: number }, () => Uint8Array]> {
    for (const kept of this.all) yield [kept, () => bytesOf(kept)];
  }

  /** How the log grew: through this epoch, and behind it. */
  rangesAround(epoch: number): [Range[], Range[]] {
    const ranges = this.all.map((kept) => whole(kept).range);
    const at = this.all.findLastIndex((each) => each.epoch <= epoch) + 1;
    return [ranges.slice(0, at), ranges.slice(at)];
  }

  /** With rosters that are still to be checked. */
  open(): readonly KeptEpoch[] {
    // Nothing opens again: what was once found settled is not looked at any more.
    const from = this.all.findLastIndex(({ epoch }) => epoch <= this.settledThrough) + 1;
    const found = this.all.slice(from).flatMap(({ open }) => open ?? []);
    const first = found[0];
    const settled = first ? this.all[this.indexOf(first.epoch) - 1] : this.all.at(-1);
    this.settledThrough = Math.max(this.settledThrough, settled?.epoch ?? 0);
    return found;
  }
}

function packed(epoch: KeptEpoch): Kept {
  const { number, digests, messages } = epoch;
  const open = messages.some(({ isOpen }) => isOpen) ? epoch : null;
  // What encodes has room for more.
  const bytes = open ? NOTHING : encoded(epochField, epoch).slice();
  return { number, epoch: epoch.epoch, pairs: digests.length, open, bytes };
}

function bytesOf({ open, bytes }: Kept): Uint8Array {
  return open ? encoded(epochField, open) : bytes;
}

function whole({ open, bytes }: Kept): KeptEpoch {
  return open ?? decode(epochField, bytes);
}

function weightOf({ open, bytes, pairs }: Kept): number {
  return OBJECTS + bytes.length + pairs * STEP + (open ? open.messages.length * MESSAGE : 0);
}
