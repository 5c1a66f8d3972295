/** Rules 8 to 14: what the sequencer and the operator sign. */
import { attestationHash, INBOX, inputsHash, OUTBOX, RECEIVER, ROUTER } from './attestation.js';
import { decodeAttestation, type EpochLeafFields } from './decode.js';
import { verifyByRule } from './ed25519.js';
import type { PartsOf } from './evidence-form.js';
import {
  acceptManifest,
  agree,
  commit,
  countInUse,
  epochLeafOf,
  hear,
  isOnItsLog,
  type Known,
  keyInUse,
  manifestOf,
  must,
  mustFollow,
  positionOf,
  readEpochLeaf,
  type Sequencer,
  signers,
  standsIn,
  verifyCheckpoint,
  verifyLogged,
} from './evidence-steps.js';
import type { Manifest } from './manifest.js';
import { verifyConsistency } from './merkle.js';
import { ifReadable } from './reader.js';

/** 8 two roots. One size, the first root below the second. By two keys it is the server. */
export function twoRoots(known: Known, { first, second }: PartsOf<8>): Sequencer | 'server' {
  must(first.size === second.size, 'two sizes');
  must(Buffer.compare(first.root, second.root) < 0, 'the first root is not below the second');
  const a = verifyCheckpoint(known, first);
  const b = verifyCheckpoint(known, second);
  return a.key.equals(b.key) ? a : 'server';
}

/** 21 two logs. Of two sizes; the larger log had another root at the smaller size. By two keys it is the server. */
export function twoLogs(known: Known, parts: PartsOf<21>): Sequencer | 'server' {
  const { earlier, later, root, bridge } = parts;
  must(earlier.size > 0n && earlier.size < later.size, 'not the smaller log first');
  must(!root.equals(earlier.root), 'the same log');
  must(verifyConsistency(earlier.size, later.size, root, later.root, bridge), 'no proof of the larger log');
  const a = verifyCheckpoint(known, earlier);
  const b = verifyCheckpoint(known, later);
  return a.key.equals(b.key) ? a : 'server';
}

/** 9 malformed log leaf. */
export function malformedLogLeaf(known: Known, { logged }: PartsOf<9>): Sequencer {
  // Logged, and: it cannot be decoded;
  const sequencer = verifyLogged(known, logged);
  const leaf = ifReadable(() => readEpochLeaf(known, logged.epochLeaf));
  if (leaf === undefined) return sequencer;
  const manifest = manifestOf(known, leaf.manifestHash);
  const wrong =
    // or the previous epoch is not below the epoch;
    leaf.previousEpoch >= leaf.epoch ||
    // or the previous epoch is 0 and the index is not, or the other way round;
    (leaf.previousEpoch === 0n) !== (logged.logIndex === 0n) ||
    // or it does not stand on its log;
    !isOnItsLog(leaf, logged) ||
    // or its number of actors is not its manifest's.
    (manifest !== undefined && leaf.actors !== signers(manifest).length);
  must(wrong, 'the epoch leaf is well formed');
  return sequencer;
}

/** 10 log order. Two epoch leaves, decoded, and logged under any checkpoints by one key. */
export function logOrder(known: Known, { earlier, later }: PartsOf<10>): Sequencer {
  const sequencer = verifyLogged(known, earlier);
  must(verifyLogged(known, later).key.equals(sequencer.key), 'two keys');
  const a = epochLeafOf(known, earlier);
  const b = epochLeafOf(known, later);
  // At one index: the first one's bytes are below the second's.
  if (earlier.logIndex === later.logIndex) {
    must(Buffer.compare(earlier.epochLeaf, later.epochLeaf) < 0, 'the first is not below the second');
    return sequencer;
  }
  // Else the first index is lower, and: …
  must(earlier.logIndex < later.logIndex, 'the first index is not lower');
  const nextToEachOther = later.logIndex === earlier.logIndex + 1n;
  const wrong =
    // the later epoch is not higher;
    b.epoch <= a.epoch ||
    // or the later leaf's previous epoch is not the earlier epoch (next to each other) or not above it (otherwise);
    (nextToEachOther ? b.previousEpoch !== a.epoch : b.previousEpoch <= a.epoch) ||
    // or its manifest's version is lower.
    versionFell(manifestOf(known, a.manifestHash), manifestOf(known, b.manifestHash));
  must(wrong, 'the leaves are in order');
  return sequencer;
}

function versionFell(a: Manifest | undefined, b: Manifest | undefined): boolean {
  return a !== undefined && b !== undefined && b.version < a.version;
}

/** 11 false base. Logged; the checkpoint verifies with the same key; its size is that of the base, its root another. */
export function falseBase(known: Known, { logged, checkpoint }: PartsOf<11>): Sequencer {
  const sequencer = verifyLogged(known, logged);
  must(verifyCheckpoint(known, checkpoint).key.equals(sequencer.key), 'two keys');
  const leaf = epochLeafOf(known, logged);
  must(checkpoint.size === leaf.base.size, 'the checkpoint has another size');
  must(!checkpoint.root.equals(leaf.base.root), 'the base is that checkpoint');
  return sequencer;
}

/** 12 log entry. */
export function logEntry(known: Known, { position, statement, committed }: PartsOf<12>): Sequencer {
  // The epoch leaf is logged, and the actor path leads from the actor leaf of the attestation hash and signature,
  // at the position, in a tree of the leaf's number of actors, to its actors root. And: …
  const sequencer = verifyLogged(known, committed.logged);
  const leaf = epochLeafOf(known, committed.logged);
  const { signed, signature } = statement;
  must(
    standsIn(leaf, position, attestationHash(signed), signature, committed.actorPath),
    'the entry is not in the epoch leaf',
  );
  must(wrongEntry(known, leaf, position, signed, signature), 'the entry is right');
  return sequencer;
}

function wrongEntry(
  known: Known,
  leaf: EpochLeafFields,
  position: number,
  signed: Buffer,
  signature: Buffer,
): boolean {
  // the attestation is for another server; or differs in epoch, base, manifest hash or placement root;
  const attestation = ifReadable(() => decodeAttestation(signed));
  if (attestation && !(attestation.serverId.equals(known.serverId) && agree(attestation, leaf))) return true;
  // or the epoch leaf's manifest is one of those given, and it cannot be decoded;
  const manifest = manifestOf(known, leaf.manifestHash);
  must(manifest !== undefined, 'the manifest of the epoch leaf is not there');
  if (attestation === undefined) return true;
  // or its role and actor are none of 1 to 4 in use by the epoch leaf's manifest at this position;
  const { role, actor } = attestation;
  if (role < 1 || role > 4 || positionOf(manifest, role, actor) !== position) return true;
  // or the signature does not verify.
  return !verifyByRule(keyInUse(manifest, role, actor)!, signed, signature);
}

/** 13 log inputs. */
export function logInputs(known: Known, parts: PartsOf<13>): Sequencer {
  // The consumer is committed.
  const consumer = hear(known, parts.consumer);
  const leaf = commit(known, consumer, parts.committed);
  // The producers are those of its role, and their entries stand in the same epoch leaf.
  const { role, actor, inputs } = consumer.attestation;
  const producers = producersOf(consumer.manifest, role, actor);
  must(producers.length === parts.producers.length, 'another number of producers');
  for (const [i, producer] of producers.entries()) {
    const { attestationHash: hash, signature, actorPath } = parts.producers[i]!;
    const position = positionOf(consumer.manifest, producer.role, producer.index);
    must(standsIn(leaf, position, hash, signature, actorPath), 'a producer is not in the epoch leaf');
  }
  // Its inputs are not the hash of theirs.
  const right = inputsHash(parts.producers.map((producer) => producer.attestationHash));
  must(!inputs.equals(right), 'the inputs are those of the log');
  return verifyLogged(known, parts.committed.logged);
}

/** a router: its inbox; a receiver: all routers; an outbox: its receiver; an inbox: none */
export function producersOf(
  manifest: Manifest,
  role: number,
  actor: number,
): { role: number; index: number }[] {
  if (role === ROUTER) return [{ role: INBOX, index: actor }];
  if (role === OUTBOX) return [{ role: RECEIVER, index: actor }];
  if (role === INBOX) return [];
  return Array.from({ length: countInUse(manifest, ROUTER) }, (_, index) => ({ role: ROUTER, index }));
}

/**
 * 14 two manifests. Two or more manifests, and another one that is accepted, with the same root key, version and
 * previous hash as the last, whose bytes are above the last one's.
 */
export function twoManifests(known: Known, { other }: PartsOf<14>, lastBytes: Buffer): void {
  must(known.manifests.length >= 2, 'one manifest alone');
  const accepted = acceptManifest(other.bytes, other.signature, known.rootKey);
  mustFollow(accepted, known.manifests.at(-2));
  must(Buffer.compare(other.bytes, lastBytes) > 0, 'the other one is not above the last');
}
