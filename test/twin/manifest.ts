/** The operator's signed description of a server: actors, placement by bucket, policy. */
import { ascii, fixed, H, join, mustRise, u8, u16, u32, u64 } from './bytes.js';

export interface ManifestActor {
  role: number;
  index: number;
  key: Buffer;
  firstEpoch: bigint;
  /** 0 = open. */
  lastEpoch: bigint;
}

export interface Run {
  firstBucket: number;
  inbox: number;
  outbox: number;
}

export interface Manifest {
  version: number;
  /** 32 zero bytes in the first version. */
  previousHash: Buffer;
  nonce: Buffer;
  rootKey: Buffer;
  actors: ManifestActor[];
  runs: Run[];
  /** 0 off, 1 accepted, 2 required. */
  submissions: number;
  retentionEpochs: bigint;
  messagesPerEpoch: number;
  bytesPerEpoch: number;
  recipientsPerBundle: number;
  bodyBytes: number;
  envelopeBytes: number;
  bundlesPerFrame: number;
  countersKept: number;
}

/** actor = role 1 ‖ index 2 ‖ key 32 ‖ first epoch 8 ‖ last epoch 8 */
function actorBytes(actor: ManifestActor): Buffer {
  return join(
    u8(actor.role),
    u16(actor.index),
    fixed(32, actor.key),
    u64(actor.firstEpoch),
    u64(actor.lastEpoch),
  );
}

/** run = first bucket 2 ‖ inbox 2 ‖ outbox 2 */
function runBytes(run: Run): Buffer {
  return join(u16(run.firstBucket), u16(run.inbox), u16(run.outbox));
}

function compareActors(a: ManifestActor, b: ManifestActor): number {
  return a.role - b.role || a.index - b.index || Number(a.firstEpoch - b.firstEpoch);
}

/**
 * manifest = version 4 ‖ previous manifest hash 32 ‖ nonce 32 ‖ root key 32
 *            ‖ actors 2 ‖ actors, sorted by (role, index, first epoch)
 *            ‖ runs 2 ‖ runs, sorted by first bucket
 *            ‖ submissions 1 ‖ retention in epochs 8 ‖ messages per epoch 4 ‖ bytes per epoch 4
 *            ‖ recipients per bundle 4 ‖ body bytes 4 ‖ envelope bytes 4 ‖ bundles per frame 4
 *            ‖ counters kept 4
 */
export function manifestBytes(manifest: Manifest): Buffer {
  mustRise('actors', manifest.actors, compareActors);
  mustRise('runs', manifest.runs, (a, b) => a.firstBucket - b.firstBucket);
  if (manifest.runs[0]?.firstBucket !== 0) throw new Error('the first run starts at bucket 0');
  return join(
    u32(manifest.version),
    fixed(32, manifest.previousHash),
    fixed(32, manifest.nonce),
    fixed(32, manifest.rootKey),
    u16(manifest.actors.length),
    ...manifest.actors.map(actorBytes),
    u16(manifest.runs.length),
    ...manifest.runs.map(runBytes),
    u8(manifest.submissions),
    u64(manifest.retentionEpochs),
    u32(manifest.messagesPerEpoch),
    u32(manifest.bytesPerEpoch),
    u32(manifest.recipientsPerBundle),
    u32(manifest.bodyBytes),
    u32(manifest.envelopeBytes),
    u32(manifest.bundlesPerFrame),
    u32(manifest.countersKept),
  );
}

/** manifest hash = H(`csign1mf` ‖ manifest); that of version 1 is the server id */
export function manifestHash(bytes: Uint8Array): Buffer {
  return H(ascii('csign1mf'), bytes);
}

/** signed by the root key = `countersign/v1 manifest` ‖ manifest */
export function manifestSigned(bytes: Uint8Array): Buffer {
  return join(ascii('countersign/v1 manifest'), bytes);
}
