/**
 * What the sequencer checks before it logs an epoch: every actor's signature and context, inputs that
 * are the hashes of the attestations they name, counts that add up. It rebuilds no roots.
 */
import {
  type Attestation,
  attestationHash,
  type EpochContext,
  equalBytes,
  inputsHash,
  type Output,
  PAGE_ENTRIES,
  type PublicKeyBook,
  ROLE,
  ROLE_NAMES,
  type Role,
  type SignedAttestation,
} from '../protocol/index.js';
import { ActorFault, checkAttestation } from './attest.js';

export interface Actors {
  readonly inboxes: number;
  readonly outboxes: number;
}

/** (role, index) of every attestation of an epoch, in epoch-leaf order. */
export function attestationOrder({ inboxes, outboxes }: Actors): { role: Role; index: number }[] {
  const of = (role: Role, count: number) => Array.from({ length: count }, (_, index) => ({ role, index }));
  return [
    ...of(ROLE.inbox, inboxes),
    ...of(ROLE.router, inboxes),
    ...of(ROLE.receiver, outboxes),
    ...of(ROLE.outbox, outboxes),
  ];
}

/** `signed` in epoch-leaf order. Throws `ActorFault` naming the first actor that is wrong. */
export function checkEpoch(
  signed: readonly SignedAttestation[],
  actors: Actors,
  keys: PublicKeyBook,
  serverId: Uint8Array,
  context: EpochContext,
): void {
  const order = attestationOrder(actors);
  if (signed.length !== order.length)
    throw new ActorFault(`${signed.length} attestations, ${order.length} expected`);
  const all = order.map(({ role, index }, i) =>
    checkAttestation(signed[i]!, keys, serverId, role, index, context),
  );
  const hashes = signed.map(({ bytes }) => attestationHash(bytes));
  const { inboxes, outboxes } = actors;
  const [routersAt, receiversAt, outboxesAt] = [inboxes, 2 * inboxes, 2 * inboxes + outboxes];
  const routers = all.slice(routersAt, receiversAt);
  const none: Uint8Array[] = [];
  all.forEach((attestation) => {
    const { role, actor } = attestation;
    const inputs =
      role === ROLE.inbox
        ? none
        : role === ROLE.router
          ? [hashes[actor]!]
          : role === ROLE.receiver
            ? hashes.slice(routersAt, receiversAt)
            : [hashes[receiversAt + actor]!];
    if (!equalBytes(attestation.inputs, inputsHash(inputs))) throw fault(attestation, 'names other inputs');
    checkShape(attestation, role === ROLE.router ? outboxes : 1);
    if (role === ROLE.receiver) checkSum(attestation, routers);
    if (role === ROLE.outbox && only(attestation).entries !== only(all[receiversAt + actor]!).entries) {
      throw fault(attestation, 'has other entries than its receiver');
    }
    if (role === ROLE.router && total(attestation) < only(all[actor]!).entries)
      throw fault(attestation, 'lost a message');
  });
  if (all.length !== outboxesAt + outboxes) throw new ActorFault('attestations miscounted');
}

function checkShape(attestation: Attestation, outputs: number): void {
  if (attestation.outputs.length !== outputs)
    throw fault(attestation, `has ${attestation.outputs.length} outputs`);
  for (const { entries, leaves } of attestation.outputs) {
    const pages = Math.ceil(entries / PAGE_ENTRIES);
    // An outbox has at least one leaf per full page of entries, and stills beside them.
    const right = attestation.role === ROLE.outbox ? leaves >= pages : leaves === pages;
    if (!right) throw fault(attestation, `has ${leaves} leaves for ${entries} entries`);
  }
}

function checkSum(receiver: Attestation, routers: readonly Attestation[]): void {
  const sum = routers.reduce((entries, router) => entries + router.outputs[receiver.actor]!.entries, 0);
  if (only(receiver).entries !== sum)
    throw fault(receiver, `has ${only(receiver).entries} items, routers gave ${sum}`);
}

function only(attestation: Attestation): Output {
  return attestation.outputs[0]!;
}

function total(attestation: Attestation): number {
  return attestation.outputs.reduce((sum, output) => sum + output.entries, 0);
}

function fault({ role, actor }: Attestation, what: string): ActorFault {
  return new ActorFault(`${ROLE_NAMES[role]} ${actor} ${what}`);
}
