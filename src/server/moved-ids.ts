/**
 * Ids that a next version of the manifest places elsewhere: which actors hand over to which, and what they hand over. States
 * lie under their ids, so one pass over a table has them in the order of leaves.
 */

import { decodeState } from '../actors/mailbox-state.js';
import { senderCodec } from '../actors/sender-state.js';
import { TABLE } from '../actors/store-keys.js';
import {
  type Base,
  bucketsOf,
  concat,
  getU16,
  type Handing,
  type HandingRole,
  keptMailbox,
  keptSender,
  type Manifest,
  placedBy,
  placesOf,
  ROLE,
} from '../protocol/index.js';
import { OperatorError } from './operator-error.js';
import { type RecoveryStore, readFrontier, recoverLog } from './recovery.js';

/** Two versions that follow each other; of the second its hash. */
export interface Versions {
  readonly serverId: Uint8Array;
  readonly before: Manifest;
  readonly next: Manifest;
  readonly nextHash: Uint8Array;
}

/** Told how far it is with what takes long: so much of so much. */
export type TellProgress = (what: string, done: number, total: number) => void;

/** By bucket: who had its ids, and who has them next. */
function placesBy(role: HandingRole, { before, next }: Versions): readonly [number[], number[]] {
  const of = (manifest: Manifest) => placesOf(manifest).map((placed) => placed[placedBy(role)]);
  return [of(before), of(next)];
}

/** Of a pair of actors, as the key of a map. */
export const pairOf = ({ from, to }: Pick<Handing, 'from' | 'to'>) => from * 2 ** 16 + to;

export interface MovedId {
  readonly from: number;
  readonly to: number;
  /** Its leaf without the prefix. */
  readonly kept: Uint8Array;
}

export interface Moving extends Versions {
  readonly store: RecoveryStore;
  readonly progress: TellProgress;
}

/** States read at once, so that who is given them may write. */
const AT_ONCE = 1024;

/** Ids that have a state and go elsewhere, rising. `doing` is told with how far it is. */
export function* movedIds(work: Moving, role: HandingRole, doing: string): Iterable<MovedId> {
  const { store, serverId, progress } = work;
  const [old, now] = placesBy(role, work);
  const bucketOf = bucketsOf(serverId);
  const [table, what] = role === ROLE.inbox ? [TABLE.sender, 'senders'] : [TABLE.mailbox, 'mailboxes'];
  const end = Uint8Array.of(table + 1);
  for (let start: Uint8Array = Uint8Array.of(table, 0, 0); ; ) {
    const found: MovedId[] = [];
    let count = 0;
    let last = start;
    for (const key of store.keys(start, end)) {
      if (++count > AT_ONCE) break;
      last = key;
      const id = key.subarray(1);
      const bucket = bucketOf(id);
      const [from, to] = [old[bucket]!, now[bucket]!];
      const kept = from === to ? null : keptOf(role, id, store.view(key)!);
      if (kept) found.push({ from, to, kept });
    }
    // Ids are spread evenly over their first two bytes.
    progress(`${doing} ${what}`, getU16(last, 1), 2 ** 16);
    yield* found;
    if (count <= AT_ONCE) return;
    start = concat(last, Uint8Array.of(0));
  }
}

/** What is handed over of a state; null of one that is as good as none. */
function keptOf(role: HandingRole, id: Uint8Array, value: Uint8Array): Uint8Array | null {
  if (role === ROLE.inbox) {
    const { last, place } = senderCodec.decode(value);
    return last === 0 ? null : keptSender(id, { counter: last, place });
  }
  const { chain } = decodeState(value);
  return chain.total === 0 ? null : keptMailbox(id, chain);
}

/** All that is committed: what hand-overs are made behind. */
export interface Committed {
  readonly log: Base;
  readonly lastEpoch: number;
}

export function committedIn(store: RecoveryStore): Committed {
  const { size, lastEpoch } = recoverLog(store);
  return { log: { size, root: readFrontier(store, size).root() }, lastEpoch };
}

export function differs({ role, from, to }: Handing, what: string): OperatorError {
  const who = placedBy(role);
  return new OperatorError(
    'hand-over-differs',
    `what ${who} ${from} handed over to ${who} ${to} is not what is stored: ${what}`,
    'The data directory is damaged. Restore all of it from one backup.',
  );
}
