/** The log as its signer sees it: checkpoints of any size it has had, signed again to the same bytes, and proofs between them. */
import { importPublicKey, importSecretKey, type PublicKey } from '#crypto';
import { logNodes, logSizeThrough } from '../actors/log-store.js';
import { signCheckpoint } from '../actors/sequencer.js';
import {
  actorKey,
  type Checkpoint,
  checkpointText,
  consistencyProof,
  logRoot,
  type OpenedManifest,
  ROLE,
} from '../protocol/index.js';
import type { Identity } from './founding.js';
import type { RecoveryStore } from './recovery.js';

export interface SignedLog {
  readonly serverId: Uint8Array;
  readonly sequencerKey: Uint8Array;
  /** Throws on a size that the log has not come to, as does all below. */
  readonly rootAt: (size: number) => Uint8Array;
  readonly checkpointAt: (size: number) => Checkpoint;
  /** Consistency proof, packed. */
  readonly proof: (from: number, to: number) => Uint8Array;
  /** Whether a checkpoint is the sequencer's: by its key, or by an earlier one, of no more than was logged under that. */
  readonly hasSigned: (checkpoint: Checkpoint) => boolean;
}

export function signedLog(
  store: RecoveryStore,
  { serverId, manifests }: Pick<Identity, 'serverId' | 'manifests'>,
  sequencerSeed: Uint8Array,
): SignedLog {
  const { sign, publicKey } = importSecretKey(sequencerSeed);
  const nodes = logNodes(store);
  const keys = sequencerKeys(store, manifests);
  const rootAt = (size: number) => logRoot(nodes, size);
  return {
    serverId,
    sequencerKey: publicKey,
    rootAt,
    checkpointAt: (size) => signCheckpoint({ serverId, sign }, { size, root: rootAt(size) }),
    proof: (from, to) => consistencyProof(nodes, from, to),
    hasSigned: ({ size, root, signature }) => {
      const text = checkpointText(serverId, size, root);
      return keys.some(({ key, most }) => size <= most && key.verify(text, signature));
    },
  };
}

/** A key that is not used any more has signed no checkpoint of a log with later epochs. */
function sequencerKeys(
  store: RecoveryStore,
  manifests: readonly OpenedManifest[],
): { readonly key: PublicKey; readonly most: number }[] {
  const ended = manifests.flatMap(({ manifest }) =>
    manifest.actors.filter(({ role, lastEpoch }) => role === ROLE.sequencer && lastEpoch !== 0),
  );
  const newest = actorKey(manifests.at(-1)!.manifest, ROLE.sequencer, 0);
  return [
    { key: importPublicKey(newest), most: Number.POSITIVE_INFINITY },
    ...ended.map(({ key, lastEpoch }) => ({
      key: importPublicKey(key),
      most: logSizeThrough(store, lastEpoch),
    })),
  ];
}
