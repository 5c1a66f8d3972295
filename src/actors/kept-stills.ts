/**
 * Stills of an epoch and outbox as they are stored, so that leaves beside them can be opened: sorted,
 * mailbox 32 ‖ position of its leaf 4 ‖ last epoch 8 ‖ total 8 ‖ head 32 ‖ trimmed through 8 (92 bytes) each.
 */
import { type ChainState, getU32, getU64, stillPreimage, Writer } from '../protocol/index.js';
import { lowest } from './epoch-file.js';
import { compareId, idAt, idBytes } from './ids.js';
import type { StoreRecord } from './messages.js';
import type { Still } from './signed-epoch.js';
import { epochKey, TABLE } from './store-keys.js';

const STILL_BYTES = 92;

/** `chainOf`: where the mailbox's chain stands in the epoch. */
export function stillRecords(
  epoch: number,
  outbox: number,
  stills: ReadonlyMap<string, Still>,
  chainOf: (mailbox: string) => ChainState,
): StoreRecord[] {
  if (stills.size === 0) return [];
  const out = new Writer(stills.size * STILL_BYTES);
  for (const [id, { position, trimmedThrough }] of stills) {
    const { lastEpoch, total, head } = chainOf(id);
    out.bytes(idBytes(id)).u32(position).u64(lastEpoch).u64(total).bytes(head).u64(trimmedThrough);
  }
  return [{ key: epochKey(TABLE.stills, epoch, outbox), value: out.done() }];
}

export class KeptStills {
  readonly count: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly epoch: number,
  ) {
    this.count = bytes.length / STILL_BYTES;
  }

  position(i: number): number {
    return getU32(this.bytes, i * STILL_BYTES + 32);
  }

  /** How many sort before the mailbox's. */
  countBelow(mailbox: string): number {
    return lowest(0, this.count, (i) => compareId(this.bytes, i * STILL_BYTES, mailbox) >= 0);
  }

  isOf(i: number, mailbox: string): boolean {
    return i < this.count && compareId(this.bytes, i * STILL_BYTES, mailbox) === 0;
  }

  preimage(i: number): Uint8Array {
    const at = i * STILL_BYTES;
    const { bytes } = this;
    const chain = {
      lastEpoch: getU64(bytes, at + 36),
      total: getU64(bytes, at + 44),
      head: bytes.subarray(at + 52, at + 84),
    };
    return stillPreimage(idBytes(idAt(bytes, at)), this.epoch, chain, getU64(bytes, at + 84));
  }
}
