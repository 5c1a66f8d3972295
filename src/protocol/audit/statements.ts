/** The attestations of an epoch: signed, about this epoch and no other, made of each other, with numbers that fit. */
import {
  type Attestation,
  attestationHash,
  decodeAttestation,
  inputsHash,
  ROLE,
  ROLE_NAMES,
} from '../attestation.js';
import { concat, equalBytes, FormatError } from '../bytes.js';
import { sameContext } from '../evidence/court.js';
import { PAGE_ENTRIES } from '../limits.js';
import type { EpochLeaf } from '../log.js';
import { keysOf, type Manifest } from '../manifest.js';
import { EMPTY_ROOT } from '../merkle.js';
import { merkleRoot } from '../merkle-tree.js';
import { actorLeaf } from './prover.js';
import type { KeptEpoch } from './source.js';
import type { EpochView } from './view.js';
import type { Actors, AuditWorld } from './world.js';

type Report = EpochView['report'];

/** Null when they are not those that the log names, or cannot be what the epoch's other parts are held against. */
export function auditStatements(
  world: AuditWorld,
  manifest: Manifest,
  actors: Actors,
  kept: KeptEpoch,
  leaf: EpochLeaf,
  report: Report,
): Attestation[] | null {
  const { attestations } = kept;
  const root = merkleRoot(concat(...attestations.map(actorLeaf)));
  if (attestations.length !== actors.count || !equalBytes(root, leaf.actorsRoot)) {
    const text = 'the attestations that are kept are not those that the log names';
    report({ kind: 'attestation', who: 'log', text, proof: null });
    return null;
  }
  let areWhole = true;
  const tell = (position: number, what: string, isFatal: boolean) => {
    areWhole &&= !isFatal;
    const { role, index } = actors.at(position);
    const who = `${ROLE_NAMES[role]} ${index}`;
    const text = `the attestation of ${who} ${what}`;
    report({ kind: 'attestation', who, text, proof: async (p) => ({ claims: await p.statements(kept) }) });
  };
  const decoded = attestations.map(({ bytes, signature }, position) => {
    const { role, index } = actors.at(position);
    try {
      const said = decodeAttestation(bytes);
      if (said.role !== role || said.actor !== index)
        tell(position, `is of ${ROLE_NAMES[said.role] ?? 'no actor'} ${said.actor}`, true);
      if (!equalBytes(said.serverId, world.serverId)) tell(position, 'is for another server', false);
      if (!sameContext(said, leaf)) tell(position, 'is about another epoch or base than its log leaf', false);
      if (!keysOf(manifest).get(role, index).verify(bytes, signature))
        tell(position, 'is not signed by it', false);
      return said;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      tell(position, `cannot be read: ${error.message}`, true);
      return null;
    }
  });
  if (!areWhole) return null;
  const statements = decoded as Attestation[];
  const hashes = attestations.map(({ bytes }) => attestationHash(bytes));
  for (const [position, said] of statements.entries()) {
    if (!equalBytes(said.inputs, inputsHash(consumed(position, actors, hashes))))
      tell(position, 'names other inputs than those that are logged', false);
    const fault = shapeFault(said, actors);
    if (fault) tell(position, fault, true);
  }
  return areWhole ? statements : null;
}

/** Hashes of what an actor's statement is made of, in order. */
export function consumed(position: number, actors: Actors, hashes: readonly Uint8Array[]): Uint8Array[] {
  const { role, index } = actors.at(position);
  if (role === ROLE.inbox) return [];
  if (role === ROLE.router) return [hashes[index]!];
  if (role === ROLE.receiver) return hashes.slice(actors.router(0), actors.receiver(0));
  return [hashes[actors.receiver(index)]!];
}

function shapeFault({ role, outputs }: Attestation, { outboxes }: Actors): string | null {
  if (outputs.length !== (role === ROLE.router ? outboxes : 1)) return `has ${outputs.length} outputs`;
  for (const { entries, leaves, root } of outputs) {
    const pages = Math.ceil(entries / PAGE_ENTRIES);
    const fits = role === ROLE.outbox ? leaves >= pages : leaves === pages;
    if (!fits) return `has ${leaves} leaves for ${entries} entries`;
    if (leaves === 0 && !equalBytes(root, EMPTY_ROOT)) return 'has a root over no leaves';
  }
  return null;
}
