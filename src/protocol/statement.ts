/**
 * What a claim (claim.ts) and evidence (evidence/) are made of: a signed statement, a leaf opened in it, and the
 * statement's way up to a checkpoint.
 */
import { blob } from './blob.js';
import { fixed, hash, hashes, type Struct, signature, struct, u8, u16, u32, u64 } from './fields.js';

export const EPOCH_LEAF_BYTES = 163;
const MAX_PREIMAGE = 8192;
/** A router of 4,096 receivers signs 164 KB. */
const MAX_ATTESTATION = 1 << 18;

/** An audit path. */
export const path = hashes(u8);

/** An attestation's signed bytes, and their signature. */
export const signedFields = { attestation: blob(MAX_ATTESTATION), signature };
export type Signed = Struct<typeof signedFields>;

/** The preimage of a leaf, and its way up to the root of an output. */
export const leafFields = { leaf: blob(MAX_PREIMAGE), leafIndex: u32, outputPath: path };
export type OpenedLeaf = Struct<typeof leafFields>;

/** A leaf in one output of a statement: a router has one output per receiver. */
export const openedFields = {
  leaf: leafFields.leaf,
  output: u16,
  leafIndex: u32,
  outputPath: path,
  ...signedFields,
};
export type Opened = Struct<typeof openedFields>;

/** A signed tree head, in binary. */
export const checkpointFields = { size: u64, root: hash, signature };

/** An epoch leaf under a checkpoint. */
export const loggedFields = {
  epochLeaf: fixed(EPOCH_LEAF_BYTES),
  logIndex: u64,
  logPath: path,
  checkpoint: struct(checkpointFields),
};
export type Logged = Struct<typeof loggedFields>;

/** A statement's way up to the checkpoint. */
export const committedFields = { actorPath: path, ...loggedFields };
export type Committed = Struct<typeof committedFields>;
