/** The log as its signer sees it: checkpoints of any size it has had, signed again to the same bytes, and proofs between them. */
import { importPublicKey, importSecretKey } from '#crypto';
import { logNodes } from '../actors/log-store.js';
import { signCheckpoint } from '../actors/sequencer.js';
import { type Checkpoint, consistencyProof, logRoot } from '../protocol/index.js';
import type { RecoveryStore } from './recovery.js';

export interface SignedLog {
  readonly serverId: Uint8Array;
  readonly sequencerKey: Uint8Array;
  /** Throws on a size that the log has not come to, as does all below. */
  readonly rootAt: (size: number) => Uint8Array;
  readonly checkpointAt: (size: number) => Checkpoint;
  /** Consistency proof, packed. */
  readonly proof: (from: number, to: number) => Uint8Array;
  readonly hasSigned: (bytes: Uint8Array, signature: Uint8Array) => boolean;
}

export function signedLog(store: RecoveryStore, serverId: Uint8Array, sequencerSeed: Uint8Array): SignedLog {
  const { sign, publicKey } = importSecretKey(sequencerSeed);
  const nodes = logNodes(store);
  const key = importPublicKey(publicKey);
  const rootAt = (size: number) => logRoot(nodes, size);
  return {
    serverId,
    sequencerKey: publicKey,
    rootAt,
    checkpointAt: (size) => signCheckpoint({ serverId, sign }, { size, root: rootAt(size) }),
    proof: (from, to) => consistencyProof(nodes, from, to),
    hasSigned: (bytes, signature) => key.verify(bytes, signature),
  };
}
