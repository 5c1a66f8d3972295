/** A claim: one leaf with its whole proof up to the checkpoint. */
import { ascii, fixed, join, u8, u16, u32, u64 } from './bytes.js';

export interface Claim {
  leaf: Buffer;
  output: number;
  leafIndex: number;
  outputPath: Buffer[];
  attestation: Buffer;
  signature: Buffer;
  actorPath: Buffer[];
  epochLeaf: Buffer;
  logIndex: bigint;
  logPath: Buffer[];
  checkpoint: { size: bigint; root: Buffer; signature: Buffer };
}

/** path = number of hashes 1 ‖ hashes */
function path(hashes: Buffer[]): Buffer {
  return join(u8(hashes.length), ...hashes.map((hash) => fixed(32, hash)));
}

/**
 * claim = `csign1cl` ‖ length 4 ‖ leaf preimage ‖ output 2 ‖ leaf index 4 ‖ path in the output
 *         ‖ length 4 ‖ attestation ‖ signature 64 ‖ actor path ‖ epoch leaf 163
 *         ‖ log index 8 ‖ log path ‖ checkpoint size 8 ‖ root 32 ‖ signature 64
 */
export function claimBytes(claim: Claim): Buffer {
  return join(
    ascii('csign1cl'),
    u32(claim.leaf.length),
    claim.leaf,
    u16(claim.output),
    u32(claim.leafIndex),
    path(claim.outputPath),
    u32(claim.attestation.length),
    claim.attestation,
    fixed(64, claim.signature),
    path(claim.actorPath),
    fixed(163, claim.epochLeaf),
    u64(claim.logIndex),
    path(claim.logPath),
    u64(claim.checkpoint.size),
    fixed(32, claim.checkpoint.root),
    fixed(64, claim.checkpoint.signature),
  );
}
