/** Rules about the sequencer's log and the operator's manifests. */
import {
  type Attestation,
  attestationHash,
  decodeAttestation,
  inputsHash,
  ROLE,
  type Role,
} from '../attestation.js';
import { compareWhole, equalBytes, FormatError } from '../bytes.js';
import { actorLeafHash, type EpochLeaf } from '../log.js';
import { actorPosition, countActors, epochActors, keysOf, type Manifest } from '../manifest.js';
import { isConsistent, rootFromPath } from '../merkle.js';
import type { Logged } from '../statement.js';
import { type Actor, type Court, type InLog, isOnItsLog, must, sameContext } from './court.js';
import type { EvidenceOf } from './evidence.js';
import { type Guilt, guiltyActor, guiltyServer, nameOf } from './guilt.js';

/** Two checkpoints of one size. By two keys of the sequencer: the later one vouches for the log that it goes on with. */
export function twoRoots(court: Court, { first, second }: EvidenceOf<'twoRoots'>): Guilt {
  const [a, b] = [court.checkpoint(first), court.checkpoint(second)];
  must(first.size === second.size, 'checkpoints of two sizes');
  must(compareWhole(first.root, second.root) < 0, 'two roots, the lower one first');
  return guiltyOf(a, b, `signed two logs of ${first.size} epochs`);
}

function guiltyOf(one: Actor, other: Actor, what: string): Guilt {
  const { role, index } = one;
  return equalBytes(one.key, other.key)
    ? guiltyActor(one, what)
    : guiltyServer([{ role, index }], `${what}, by two keys of its sequencer`);
}

/** Two checkpoints of two sizes: at the smaller one, the log of the larger one had another root. */
export function twoLogs(court: Court, { earlier, later, root, bridge }: EvidenceOf<'twoLogs'>): Guilt {
  const [a, b] = [court.checkpoint(earlier), court.checkpoint(later)];
  must(!equalBytes(root, earlier.root), 'one root');
  must(isConsistent(earlier.size, root, later.size, later.root, bridge), 'not what the larger log was');
  return guiltyOf(
    a,
    b,
    `signed a log of ${earlier.size} epochs, and one of ${later.size} that does not go on from it`,
  );
}

export function malformedLogLeaf(court: Court, { leaf: part }: EvidenceOf<'malformedLogLeaf'>): Guilt {
  const sequencer = court.logged(part);
  return guiltyActor(sequencer, `logged ${faultInLeaf(court, part)}`);
}

function faultInLeaf(court: Court, part: Logged): string {
  const { logIndex: index } = part;
  let leaf: EpochLeaf;
  try {
    leaf = court.epochLeaf(part.epochLeaf);
  } catch {
    return `what is no epoch leaf, at index ${index}`;
  }
  const { epoch, previousEpoch, base, actors } = leaf;
  if (previousEpoch >= epoch || (previousEpoch === 0) !== (index === 0))
    return `epoch ${epoch} behind ${previousEpoch} at index ${index}`;
  if (!isOnItsLog(leaf, part))
    return `epoch ${epoch} at index ${index} on a base of ${base.size} that is not the log before it`;
  if (actors !== epochActors(court.manifest(leaf.manifestHash)))
    return `epoch ${epoch} with ${actors} statements`;
  throw new FormatError('nothing is wrong with it');
}

/** Two leaves that cannot stand in one log at their indices, whichever checkpoints they are under. */
export function logOrder(court: Court, { earlier, later }: EvidenceOf<'logOrder'>): Guilt {
  const [a, b] = [court.log(earlier), court.log(later)];
  must(equalBytes(a.sequencer.key, b.sequencer.key), 'two sequencers');
  if (a.index === b.index) {
    must(compareWhole(earlier.epochLeaf, later.epochLeaf) < 0, 'two leaves, the lower bytes first');
    return guiltyActor(a.sequencer, `logged two epochs at index ${a.index}`);
  }
  must(a.index < b.index, 'two leaves, the earlier one first');
  return guiltyActor(a.sequencer, `logged ${faultInOrder(court, a, b)}`);
}

function faultInOrder(court: Court, { epochLeaf: a, index }: InLog, b: InLog): string {
  const { epoch, previousEpoch } = b.epochLeaf;
  if (epoch <= a.epoch) return `epoch ${epoch} behind epoch ${a.epoch}`;
  const follows = b.index === index + 1 ? previousEpoch === a.epoch : previousEpoch > a.epoch;
  if (!follows) return `epoch ${epoch} behind ${previousEpoch}, and epoch ${a.epoch} between them`;
  const [before, after] = [a, b.epochLeaf].map(({ manifestHash }) => court.manifest(manifestHash).version);
  if (after! < before!) return `manifest ${after} behind manifest ${before}`;
  throw new FormatError('nothing is wrong with them');
}

/** An epoch whose base is not the log that the sequencer has signed at that size. */
export function falseBase(court: Court, { leaf: part, checkpoint }: EvidenceOf<'falseBase'>): Guilt {
  const { epochLeaf, sequencer } = court.log(part);
  const { base, epoch } = epochLeaf;
  must(equalBytes(court.checkpoint(checkpoint).key, sequencer.key), 'two sequencers');
  must(base.size === checkpoint.size && !equalBytes(base.root, checkpoint.root), 'nothing is wrong with it');
  return guiltyActor(sequencer, `logged epoch ${epoch} on another base than it has signed`);
}

/** A statement in an epoch leaf that does not belong there. */
export function logEntry(court: Court, evidence: EvidenceOf<'logEntry'>): Guilt {
  const { position, attestation: bytes, signature, actorPath } = evidence;
  const { epochLeaf, sequencer } = court.log(evidence);
  const { actors, actorsRoot, epoch } = epochLeaf;
  const entry = actorLeafHash(attestationHash(bytes), signature);
  must(
    equalBytes(rootFromPath(actors, position, entry, actorPath), actorsRoot),
    'no entry of the epoch leaf',
  );
  const fault = faultInEntry(court, epochLeaf, position, bytes, signature);
  return guiltyActor(sequencer, `logged in epoch ${epoch} ${fault}`);
}

function faultInEntry(
  court: Court,
  leaf: EpochLeaf,
  position: number,
  bytes: Uint8Array,
  signature: Uint8Array,
): string {
  let attestation: Attestation;
  try {
    attestation = decodeAttestation(bytes);
  } catch {
    court.manifest(leaf.manifestHash);
    return `what is no statement, as entry ${position}`;
  }
  const { role, actor } = attestation;
  const who = nameOf({ role, index: actor });
  // Whatever the manifest of the epoch says: that need not be there.
  if (!equalBytes(attestation.serverId, court.serverId)) return `a statement of ${who} for another server`;
  if (!sameContext(attestation, leaf))
    return `a statement of ${who} about another epoch, base, manifest or placement`;
  const manifest = court.manifest(leaf.manifestHash);
  const isAttesting = role <= ROLE.outbox && actor < countActors(manifest, role);
  if (!isAttesting || actorPosition(manifest, role, actor) !== position)
    return `a statement of ${who} as entry ${position}`;
  if (!keysOf(manifest).get(role, actor).verify(bytes, signature))
    return `a statement that ${who} has not signed`;
  throw new FormatError('nothing is wrong with it');
}

/** A statement in an epoch leaf that was made of others than those beside it. */
export function logInputs(court: Court, evidence: EvidenceOf<'logInputs'>): Guilt {
  const { producers } = evidence;
  const said = court.committed({ ...evidence, ...evidence.consumer });
  const { epochLeaf, sequencer, attestation, actor } = said;
  const expected = producersOf(actor, said.manifest);
  must(producers.length === expected.length, 'another number of producers');
  producers.forEach(({ hash, signature, actorPath }, i) => {
    court.entry(hash, signature, expected[i]!, actorPath, epochLeaf);
  });
  const inputs = inputsHash(producers.map(({ hash }) => hash));
  must(!equalBytes(inputs, attestation.inputs), 'nothing is wrong with it');
  const text = `logged in epoch ${epochLeaf.epoch} a statement of ${nameOf(actor)} that was made of others than those beside it`;
  return guiltyActor(sequencer, text);
}

/** Whose statements an actor consumes, in order. */
export function producersOf(
  { role, index }: Pick<Actor, 'role' | 'index'>,
  manifest: Manifest,
): { role: Role; index: number }[] {
  if (role === ROLE.router) return [{ role: ROLE.inbox, index }];
  if (role === ROLE.outbox) return [{ role: ROLE.receiver, index }];
  const routers = role === ROLE.receiver ? countActors(manifest, ROLE.router) : 0;
  return Array.from({ length: routers }, (_, i) => ({ role: ROLE.router, index: i }));
}
