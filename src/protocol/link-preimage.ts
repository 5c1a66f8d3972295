/** The preimage of a link part (chain.ts) by itself, for claims: `link` hashes it where it lies. */
import { Writer } from './bytes.js';
import { type ChainState, LINK_ENTRY_BYTES, LINK_PREFIX } from './chain.js';

/** `entries` packed, 38 bytes each; `chain` as it stood before the part; `parts` of the link in all. */
export function linkPreimage(
  mailbox: Uint8Array,
  epoch: number,
  part: number,
  parts: number,
  chain: ChainState,
  entries: Uint8Array,
): Uint8Array {
  const count = entries.length / LINK_ENTRY_BYTES;
  return new Writer(4096)
    .bytes(LINK_PREFIX)
    .bytes(mailbox)
    .u64(epoch)
    .u16(part)
    .u16(parts)
    .u64(chain.lastEpoch)
    .u64(chain.total + count)
    .bytes(chain.head)
    .u16(count)
    .bytes(entries)
    .done();
}
