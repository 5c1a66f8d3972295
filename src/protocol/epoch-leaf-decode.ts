/** Epoch leaves (log.ts) as they are read: browsers do that for claims alone. */
import { Reader } from './bytes.js';
import { expectBytes } from './expect-bytes.js';
import { EPOCH_PREFIX, type EpochLeaf } from './log.js';

/** Throws `FormatError` on any other bytes than `encodeEpochLeaf` gives. */
export function decodeEpochLeaf(bytes: Uint8Array): EpochLeaf {
  const reader = new Reader(bytes);
  expectBytes(reader, EPOCH_PREFIX, 'epoch leaf prefix');
  const leaf = {
    epoch: reader.u64(),
    previousEpoch: reader.u64(),
    base: { size: reader.u64(), root: reader.hash() },
    manifestHash: reader.hash(),
    placementRoot: reader.hash(),
    actors: reader.u16(),
    actorsRoot: reader.hash(),
  };
  reader.end();
  return leaf;
}
