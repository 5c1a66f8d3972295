/** What one verified delivery leaves behind, so that a whole claim can be made of any of its leaves. */
import {
  type ChainState,
  concat,
  type Deliver,
  type EpochLeaf,
  encodeClaim,
  encodeEpochLeaf,
  HASH_BYTES,
  LINK_ENTRY_BYTES,
  linkParts,
  linkPreimage,
  PAGE_ENTRIES,
  rootFromMultiproof,
  stillPreimage,
} from '../protocol/index.js';
import type { LogStep } from './log-state.js';

/** Shared by all mailboxes of a frame. */
export interface Evidence {
  readonly deliver: Deliver;
  readonly attestation: Uint8Array;
  readonly epochLeaf: EpochLeaf;
  readonly step: LogStep;
  /** Of our leaves in the outbox's output. */
  readonly positions: readonly number[];
  readonly hashes: Uint8Array;
  /** Of all links: their entries, 38 bytes each. */
  readonly rows: Uint8Array;
}

/** The claim, in its binary form, that opens `preimage` as leaf number `which` of the frame's own leaves. */
function claimLeaf(evidence: Evidence, which: number, preimage: Uint8Array): Uint8Array {
  const { attestation, deliver, hashes, positions, step } = evidence;
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
    epochLeaf: encodeEpochLeaf(evidence.epochLeaf),
    logIndex: proof.logIndex,
    logPath: step.path(),
    checkpoint: step.log.checkpoint,
  });
}

/** A mailbox's link as it was verified. */
export interface LinkEvidence {
  readonly evidence: Evidence;
  readonly mailbox: Uint8Array;
  readonly before: ChainState;
  readonly entries: { readonly length: number };
  /** Where its entries lie among the rows. */
  readonly firstRow: number;
  /** Which of the frame's own leaves is the link's first part. */
  readonly firstLeaf: number;
}

/** Claims the part of a link that holds entry `x`. */
export function claimEntry(link: LinkEvidence, x: number): Uint8Array {
  const { evidence, mailbox, before, entries, firstRow, firstLeaf } = link;
  const { epochLeaf, hashes, rows } = evidence;
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
  return claimLeaf(evidence, firstLeaf + part, preimage);
}

export function claimStill(
  evidence: Evidence,
  which: number,
  mailbox: Uint8Array,
  chain: ChainState,
  trimmedThrough: number,
): Uint8Array {
  return claimLeaf(evidence, which, stillPreimage(mailbox, evidence.epochLeaf.epoch, chain, trimmedThrough));
}
