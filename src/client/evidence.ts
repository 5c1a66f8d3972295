/** What one verified delivery leaves behind, so that a whole claim can be made of any of its leaves. */

import type { Checkpoint } from '../protocol/index.js';
import {
  type ChainState,
  type EpochLeaf,
  encodeClaim,
  encodeEpochLeaf,
  HASH_BYTES,
  LINK_ENTRY_BYTES,
  linkParts,
  linkPreimage,
  PAGE_ENTRIES,
  pathFromMultiproof,
  stillPreimage,
} from '../protocol/index.js';

/** Shared by all mailboxes of a frame. */
export interface Evidence {
  readonly attestation: Uint8Array;
  readonly signature: Uint8Array;
  readonly actorPath: Uint8Array;
  readonly epochLeaf: EpochLeaf;
  readonly logIndex: number;
  readonly logPath: () => Uint8Array;
  readonly checkpoint: Checkpoint;
  /** The outbox's output: its size, and of our leaves the positions, hashes and multiproof. */
  readonly leaves: number;
  readonly positions: readonly number[];
  readonly hashes: Uint8Array;
  readonly multiproof: Uint8Array;
  /** Of all links: their entries, 38 bytes each. */
  readonly rows: Uint8Array;
}

/** The claim, in its binary form, that opens `preimage` as leaf number `which` of the frame's own leaves. */
function claimLeaf(evidence: Evidence, which: number, preimage: Uint8Array): Uint8Array {
  const { leaves, positions, hashes, multiproof } = evidence;
  return encodeClaim({
    leaf: preimage,
    output: 0,
    leafIndex: positions[which]!,
    outputPath: pathFromMultiproof(leaves, positions, hashes, multiproof, positions[which]!),
    attestation: evidence.attestation,
    signature: evidence.signature,
    actorPath: evidence.actorPath,
    epochLeaf: encodeEpochLeaf(evidence.epochLeaf),
    logIndex: evidence.logIndex,
    logPath: evidence.logPath(),
    checkpoint: evidence.checkpoint,
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
  const part = Math.floor(x / PAGE_ENTRIES);
  const from = part * PAGE_ENTRIES;
  const head = part === 0 ? before.head : leafHash(evidence.hashes, firstLeaf + part - 1);
  const chain = { lastEpoch: before.lastEpoch, total: before.total + from, head };
  const preimage = linkPreimage(
    mailbox,
    evidence.epochLeaf.epoch,
    part,
    linkParts(entries.length),
    chain,
    evidence.rows.subarray(
      (firstRow + from) * LINK_ENTRY_BYTES,
      (firstRow + Math.min(from + PAGE_ENTRIES, entries.length)) * LINK_ENTRY_BYTES,
    ),
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

function leafHash(hashes: Uint8Array, i: number): Uint8Array {
  return hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES);
}
