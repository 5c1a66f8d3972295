/** Whether the log of what was opened goes on from a checkpoint that somebody holds, and the evidence where it does not. */
import { equalBytes, FormatError } from '../bytes.js';
import { decodeClaim } from '../claim.js';
import type { Checkpoint } from '../log.js';
import { rootBefore } from '../merkle.js';
import { accuse, type CaseFile } from './accuse.js';

/**
 * `claim`: one that verifies; size (above 0), root and signature: the checkpoint that is held. `behind`: a claim, if there is one,
 * of the epoch whose index in the log is that size. True: the log under the claim's checkpoint goes on from it. False: that
 * does not show, as the claim is neither under a checkpoint of that size, nor of that index, nor under the one of `behind`. Bytes:
 * evidence that they are of two logs. Throws `FormatError` where they are, and that proves nothing. `manifests`: all versions,
 * from the first one on.
 */
export function goesOn(
  claim: Uint8Array,
  behind: Uint8Array | null,
  size: number,
  root: Uint8Array,
  signature: Uint8Array,
  serverId: Uint8Array,
  rootKey: Uint8Array,
  manifests: CaseFile['manifests'],
): boolean | Uint8Array {
  const follows = (bytes: Uint8Array, held: Checkpoint) =>
    followsFrom(bytes, held, manifests, serverId, rootKey);
  const held = { size, root, signature };
  const found = follows(claim, held);
  if (found !== false || !behind) return found;
  const between = follows(behind, held);
  return between === true ? follows(claim, decodeClaim(behind).checkpoint) : between;
}

function followsFrom(
  bytes: Uint8Array,
  held: Checkpoint,
  manifests: CaseFile['manifests'],
  serverId: Uint8Array,
  rootKey: Uint8Array,
): boolean | Uint8Array {
  const claim = decodeClaim(bytes);
  const { checkpoint, logIndex, logPath } = claim;
  const { size, root } = held;
  const known = [
    ...(checkpoint.size === size ? [checkpoint.root] : []),
    ...(logIndex === size ? [rootBefore(checkpoint.size, logIndex, logPath)] : []),
  ];
  if (known.every((each) => equalBytes(each, root))) return known.length > 0;
  const found = accuse({ manifests, claims: [claim], checkpoints: [held] }, serverId, rootKey);
  if (!found) throw new FormatError(`another log of ${size} epochs than is known`);
  return found.evidence;
}
