/** Makes claims of what was verified. */
import {
  concat,
  encodeClaim,
  encodeEpochLeaf,
  HASH_BYTES,
  LINK_ENTRY_BYTES,
  LOG_MODE,
  linkParts,
  linkPreimage,
  PAGE_ENTRIES,
  rootFromMultiproof,
  stillPreimage,
} from '../protocol/index.js';
import type { DeliveryProof, LinkProof, StillProof } from './delivery-proof.js';

/** The claim, in its binary form, that opens `preimage` as leaf number `which` of the frame's own leaves. */
function claimLeaf(delivery: DeliveryProof, which: number, preimage: Uint8Array): Uint8Array {
  const { attestation, deliver, hashes, positions, step } = delivery;
  const { epoch, multiproof, proof } = deliver;
  const leafIndex = positions[which]!;
  const path: Uint8Array[] = [];
  rootFromMultiproof(epoch.leaves, positions, hashes, multiproof, leafIndex, path);
  return encodeClaim({
    leaf: preimage,
    output: 0,
    leafIndex,
    outputPath: concat(...path),
    attestation,
    signature: epoch.signature,
    actorPath: epoch.actorPath,
    epochLeaf: encodeEpochLeaf(delivery.epochLeaf),
    logIndex: proof.logIndex,
    // The last leaf's siblings are the complete subtrees before it, smallest first.
    logPath: proof.mode === LOG_MODE.under ? proof.path : reversed(step.before.packed()),
    checkpoint: step.log.checkpoint,
  });
}

function reversed(hashes: Uint8Array): Uint8Array {
  const out = new Uint8Array(hashes.length);
  for (let at = 0; at < hashes.length; at += HASH_BYTES)
    out.set(hashes.subarray(at, at + HASH_BYTES), hashes.length - at - HASH_BYTES);
  return out;
}

/** Claims the part of a link that holds entry `x`. */
export function claimEntry(link: LinkProof, x: number): Uint8Array {
  const { delivery, mailbox, before, entries, firstRow, firstLeaf } = link;
  const { epochLeaf, hashes, rows } = delivery;
  const part = Math.floor(x / PAGE_ENTRIES);
  const from = part * PAGE_ENTRIES;
  const to = Math.min(from + PAGE_ENTRIES, entries.length);
  const headAt = (firstLeaf + part) * HASH_BYTES;
  const head = part === 0 ? before.head : hashes.subarray(headAt - HASH_BYTES, headAt);
  const preimage = linkPreimage(
    mailbox,
    epochLeaf.epoch,
    part,
    linkParts(entries.length),
    { lastEpoch: before.lastEpoch, total: before.total + from, head },
    rows.subarray((firstRow + from) * LINK_ENTRY_BYTES, (firstRow + to) * LINK_ENTRY_BYTES),
  );
  return claimLeaf(delivery, firstLeaf + part, preimage);
}

/** Claims the parts of a link: all, or those through entry `x`, so many at the most. */
export function claimParts(link: LinkProof, x = link.entries.length - 1, most = Infinity): Uint8Array[] {
  const parts = Array.from({ length: Math.floor(x / PAGE_ENTRIES) + 1 }, (_, part) => part);
  return parts.slice(-most).map((part) => claimEntry(link, part * PAGE_ENTRIES));
}

/** Claims a still. */
export function claimStill({ delivery, mailbox, next, trimmedThrough, leaf }: StillProof): Uint8Array {
  const { epoch } = delivery.epochLeaf;
  return claimLeaf(delivery, leaf, stillPreimage(mailbox, epoch, next.chain, trimmedThrough));
}
