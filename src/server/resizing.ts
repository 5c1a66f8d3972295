/** Other numbers of inboxes and outboxes of a server that is stopped, by a next version of its manifest. */
import { Placements } from '../actors/placements.js';
import { type ActorCounts, BUCKETS, countsIn, evenBuckets, type Manifest, ROLE } from '../protocol/index.js';
import { handOver } from './handing-over.js';
import {
  changeManifest,
  type ManifestChange,
  type ManifestPlan,
  type Slot,
  type Watching,
} from './manifest-change.js';
import { moveStates } from './moving.js';
import { OperatorError } from './operator-error.js';

/** A number that is not told stays. Throws `OperatorError` `actors-same`, `actors-invalid`, and as `changeManifest` does. */
export function changeActors(
  data: string,
  asked: Partial<ActorCounts>,
  watching?: Watching,
): Promise<ManifestChange & ActorCounts> {
  let counts: ActorCounts = { inboxes: 0, outboxes: 0 };
  const plan = (manifest: Manifest) => {
    const before = countsIn(manifest);
    counts = { ...before, ...asked };
    return planOf(before, counts);
  };
  return changeManifest(data, plan, watching).then((changed) => ({ ...changed, ...counts }));
}

/** Throws `OperatorError` `actors-same`, `actors-invalid`. */
export function planOf(before: ActorCounts, after: ActorCounts): ManifestPlan {
  for (const [name, count] of Object.entries(after))
    if (!Number.isSafeInteger(count) || count < 1 || count > BUCKETS) throw invalid(name, count);
  if (before.inboxes === after.inboxes && before.outboxes === after.outboxes) throw same(before);
  return {
    ends: slotsOf(before, after),
    begins: slotsOf(after, before),
    buckets: evenBuckets(after.inboxes, after.outboxes),
    move: ({ identity, ...move }) => {
      const { serverId, manifest, manifests } = identity;
      moveStates({ ...move, placements: new Placements(serverId, manifests) });
      move.observe('sign what is handed over');
      handOver({ ...move, serverId, before: manifest });
    },
  };
}

/** The actors that there are with these numbers, and not with the others. */
function slotsOf(these: ActorCounts, others: ActorCounts): Slot[] {
  return [ROLE.inbox, ROLE.router, ROLE.receiver, ROLE.outbox].flatMap((role) => {
    const kind = role <= ROLE.router ? 'inboxes' : 'outboxes';
    const more = Math.max(0, these[kind] - others[kind]);
    return Array.from({ length: more }, (_, i) => ({ role, index: others[kind] + i }));
  });
}

function invalid(name: string, count: number): OperatorError {
  return new OperatorError('actors-invalid', `${name}: expected 1 to ${BUCKETS}, got ${count}`, '');
}

function same({ inboxes, outboxes }: ActorCounts): OperatorError {
  const text = `this server has ${inboxes} inboxes and ${outboxes} outboxes already`;
  return new OperatorError('actors-same', text, 'Nothing is to be done.');
}
