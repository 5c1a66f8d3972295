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
  LINK_HEADER_BYTES,
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

/** A mailbox's link. */
export interface LinkRows {
  readonly mailbox: Uint8Array;
  readonly before: ChainState;
  /** Entries, 38 bytes each. */
  readonly rows: Uint8Array;
  /** Which of the frame's own leaves is the link's first part. */
  readonly firstLeaf: number;
}

/** One for all, because a small array of its own costs more than its hash. */
const preimage = new Uint8Array(LINK_HEADER_BYTES + PAGE_ENTRIES * LINK_ENTRY_BYTES);

/** The preimage of part number `part`, when the hashes of those before it are known. Good until the next call. */
export function partPreimage(
  { mailbox, before, rows, firstLeaf }: LinkRows,
  epoch: number,
  part: number,
  hashes: Uint8Array,
): Uint8Array {
  const from = part * PAGE_ENTRIES;
  const headAt = (firstLeaf + part) * HASH_BYTES;
  const head = part === 0 ? before.head : hashes.subarray(headAt - HASH_BYTES, headAt);
  return linkPreimage(
    mailbox,
    epoch,
    part,
    linkParts(rows.length / LINK_ENTRY_BYTES),
    { lastEpoch: before.lastEpoch, total: before.total + from, head },
    rows.subarray(from * LINK_ENTRY_BYTES, (from + PAGE_ENTRIES) * LINK_ENTRY_BYTES),
    preimage,
  );
}

/** A link as it was verified. */
export interface LinkEvidence extends LinkRows {
  readonly evidence: Evidence;
}

/** Claims the part of a link that holds entry `x`. */
export function claimEntry(link: LinkEvidence, x: number): Uint8Array {
  const { evidence, firstLeaf } = link;
  const part = Math.floor(x / PAGE_ENTRIES);
  const preimage = partPreimage(link, evidence.epochLeaf.epoch, part, evidence.hashes);
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
