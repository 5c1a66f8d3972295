/**
 * Follows a server's manifest from version to version. What a client has accepted it keeps in its store, as the server
 * hands it over, and goes on from there: nothing of it is ever taken back, and another manifest in the place of one of
 * these is evidence against the operator.
 *
 * Loaded with what makes claims (claims.ts), when a server has a second version.
 */
import {
  type AcceptedManifest,
  ascii,
  CountersignError,
  countActors,
  type Deliver,
  equalBytes,
  FormatError,
  inOrder,
  MOST_MANIFESTS,
  type OpenedManifest,
  ROLE,
  toHex,
} from '../protocol/index.js';
import { acceptManifest, getJson } from './directory.js';
import type { Gateway } from './gateway.js';
import { judging } from './judging.js';
import type { Member } from './member.js';
import type { OutboxSession } from './outbox-session.js';
import { askStill } from './stands.js';
import type { Change, Saved, SavedLog, Store } from './store.js';
import { Mismatch, VerificationError } from './verification-error.js';
import type { StateOfSlot } from './verifier.js';
import { World } from './world.js';

/** Rejects with `VerificationError` where the server does not go on from what is saved, or is not the one expected. */
export async function openWorld(
  http: string,
  signal: AbortSignal,
  saved?: Saved,
  store?: Store,
  expected?: Uint8Array | null,
): Promise<World> {
  const known = await read(saved?.kept.get(KEPT));
  const all = await goOn(http, known, signal);
  const world = worldOf(all);
  for (const id of [expected, saved?.serverId])
    if (id && !equalBytes(id, world.serverId)) throw otherServer(id, world.serverId);
  if (all.length > known.length) await store?.save([changeOf(all)]);
  if (saved) shareLog(saved.logs, countActors(world.manifest, ROLE.outbox));
  return world;
}

/** There is one log, whichever outbox has told of it: a mailbox that is at another one now goes on from what is known. */
function shareLog(logs: Map<number, SavedLog>, outboxes: number): void {
  const [newest] = [...logs.values()].sort((a, b) => b.checkpoint.size - a.checkpoint.size);
  if (newest) for (let outbox = 0; outbox < outboxes; outbox++) logs.set(outbox, newest);
}

function otherServer(expected: Uint8Array, serverId: Uint8Array): CountersignError {
  const text = `server ${toHex(serverId)} answers, not ${toHex(expected)}`;
  return new CountersignError('wrong-server', text);
}

/**
 * Takes over the versions behind those that are known, one of which the server has named. Or, with `wrong`, says that a
 * mailbox is not at this outbox, where the newest known one places it: then it rejects in any case, temporarily where there
 * are newer ones. Rejects as `openWorld` does.
 */
export async function follow(gateway: Gateway, wrong?: number): Promise<string> {
  const { ending, events, ground, persister } = gateway;
  const { world, http } = ground;
  const { manifests: known, named } = world;
  if (!named && wrong === undefined) return '';
  try {
    const all = await goOn(http, known, ending.signal);
    // An older one cannot come back. But what was on its way on a socket may have been said before the newest came.
    const isKnown = named && known.some(({ hash }) => equalBytes(hash, named));
    const isLate = isKnown && late(world) <= gateway.outboxes.length + gateway.fronts.length;
    if (named && !isLate && !all.slice(known.length).some(({ hash }) => equalBytes(hash, named)))
      throw new VerificationError(
        'manifest',
        `the server names ${toHex(named)}, which is none of its newer ones`,
      );
    if (wrong !== undefined && all.length === known.length)
      throw new VerificationError('manifest', `a mailbox that is not at outbox ${wrong}, where it is placed`);
    // Another socket may have been quicker.
    if (all.length > world.manifests.length) {
      const change = changeOf(all);
      await new Promise<void>((saved) =>
        persister.mark({ marked: false, changes: (out) => out.push(change), saved }),
      );
      Object.assign(world, worldOf(all), { named: undefined });
      lateNames.delete(world);
      regroup(gateway);
    } else if (world.named === named) delete world.named;
  } catch (error) {
    const { evidence } = error as VerificationError;
    if (evidence) events.emit('evidence', { mailbox: 0, evidence });
    throw error;
  }
  if (wrong !== undefined) throw new CountersignError('connection-lost', 'mailboxes have been moved');
  return '';
}

/** How often an older version has been named since the newest came. */
const lateNames = new WeakMap<World, number>();

function late(world: World): number {
  const times = (lateNames.get(world) ?? 0) + 1;
  lateNames.set(world, times);
  return times;
}

/**
 * Sockets lead to the outboxes that their mailboxes are at now. One whose mailboxes part goes on with the first ones. All are
 * opened anew: what has come on one and is not read yet may be of before, under checkpoints of a sequencer's key that has ended.
 */
function regroup(gateway: Gateway): void {
  const { world } = gateway.ground;
  for (const session of gateway.outboxes) {
    const groups = new Map<number, Member[]>();
    for (const member of session.members) {
      member.outbox = world.outboxOf(member.mailbox.id);
      groups.set(member.outbox, [...(groups.get(member.outbox) ?? []), member]);
    }
    const [[outbox, stay] = [0, []], ...others] = groups;
    session.outbox = outbox;
    (session.members as Member[]).splice(0, session.members.length, ...stay);
    const made = others.map(([other, members]) => parted(gateway, session, other, members));
    gateway.outboxes = [...gateway.outboxes, ...made];
    if (made.length > 0) session.parted?.(made);
    for (const { connection, members } of [session, ...made]) {
      connection.close();
      if (gateway.outboxesStarted && members.some(({ problem }) => !problem)) connection.start();
    }
  }
}

function parted(
  gateway: Gateway,
  session: OutboxSession,
  outbox: number,
  members: readonly Member[],
): OutboxSession {
  const made = gateway.makeOutbox(outbox, members);
  made.log = session.log;
  made.proven = session.proven;
  for (const member of members) {
    if (session.wantStill.delete(member)) askStill(made, member);
    session.weight -= member.weight;
    made.weight += member.weight;
  }
  session.paused = false;
  clearInterval(session.unread);
  for (const each of [session, made]) each.checkWeight();
  return made;
}

/** Takes every epoch by the manifest that is in force in it, and by the outbox that it places the mailboxes at. */
function worldOf(all: readonly OpenedManifest[]): World {
  const world = new World(all);
  const versions = all.map((_, i) => withKeysOf(world, new World(all.slice(0, i + 1))));
  world.by = (deliver, outbox, stateOf) => {
    const { epoch } = deliver.epoch;
    const at = Math.max(
      0,
      all.findLastIndex(({ from }) => epoch >= from),
    );
    const version = versions[at]!;
    return version.by(deliver, at < all.length - 1 ? signerOf(version, deliver, stateOf!) : outbox);
  };
  return world;
}

/** The newest sequencer signs checkpoints, also those that earlier epochs are shown under. */
function withKeysOf({ keys: newest }: World, version: World): World {
  const { keys: own } = version;
  const get: typeof own.get = (role, index) => (role === ROLE.sequencer ? newest : own).get(role, index);
  return Object.assign(version, { keys: { get } });
}

/** The outbox that all mailboxes of a delivery were at. Throws `Mismatch`. */
function signerOf(version: World, { mailboxes }: Deliver, stateOf: StateOfSlot): number {
  const [outbox, ...others] = new Set(
    mailboxes.map(({ slot }) => {
      const state = stateOf(slot);
      if (!state) throw new Mismatch('slot', `slot ${slot} is not open`);
      return version.outboxOf(state.mailbox);
    }),
  );
  if (outbox === undefined || others.length > 0) throw new Mismatch('epoch', 'mailboxes of two outboxes');
  return outbox;
}

/** What is known, with what the server has behind it. */
async function goOn(
  http: string,
  known: readonly AcceptedManifest[],
  signal: AbortSignal,
): Promise<readonly OpenedManifest[]> {
  const newest = known.at(-1);
  const told = await fetchFrom(http, newest?.manifest.version ?? 1, signal);
  if (newest && !told[0])
    throw new VerificationError(
      'manifest',
      `the server has gone back behind version ${newest.manifest.version}`,
    );
  if (newest && !equalBytes(told[0]!.bytes, newest.bytes)) throw await otherThan(http, known, signal);
  try {
    return inOrder([...known, ...told.slice(newest ? 1 : 0)]);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new VerificationError('manifest', cause.message, told.at(-1)?.bytes, { cause });
  }
}

/** What the server has in the place of one that is known: two manifests of one version, where both follow the same one. */
async function otherThan(
  http: string,
  known: readonly AcceptedManifest[],
  signal: AbortSignal,
): Promise<CountersignError> {
  const told = await fetchFrom(http, 1, signal);
  const at = known.findIndex(({ bytes }, i) => !told[i] || !equalBytes(told[i].bytes, bytes));
  const [first] = known;
  const other = told[at];
  if (at === 0 && other) return otherServer(first!.hash, other.hash);
  const error = new VerificationError(
    'manifest',
    `another version ${at + 1} than was accepted`,
    other?.bytes,
  );
  if (!other) return error;
  const { accuseOperator } = await judging.get(signal);
  const evidence = accuseOperator(known.slice(0, at + 1), other, first!.hash, first!.manifest.rootKey);
  if (evidence) error.evidence = evidence;
  return error;
}

async function fetchFrom(http: string, version: number, signal: AbortSignal): Promise<AcceptedManifest[]> {
  return acceptAll(await getJson(`${http}/v1/manifests/${version}`, signal));
}

function acceptAll({ manifests }: Record<string, unknown>): Promise<AcceptedManifest[]> {
  if (!Array.isArray(manifests) || manifests.length > MOST_MANIFESTS)
    throw new VerificationError('manifest', `expected a list of at most ${MOST_MANIFESTS}`);
  return Promise.all(manifests.map((each) => acceptManifest(Object(each))));
}

// ---- what is kept: {"manifests": [{"manifest", "signature"} …]}, as GET /v1/manifests/1 answers

const KEPT = 'manifests';

function changeOf(all: readonly AcceptedManifest[]): Change {
  const manifests = all.map(({ bytes, signature }) => ({
    manifest: toBase64(bytes),
    signature: toBase64(signature),
  }));
  return { type: 'kept', name: KEPT, bytes: ascii(JSON.stringify({ manifests })) };
}

async function read(kept: Uint8Array | undefined): Promise<AcceptedManifest[]> {
  return kept ? acceptAll(JSON.parse(text(kept)) as Record<string, unknown>) : [];
}

const toBase64 = (bytes: Uint8Array) => btoa(text(bytes));
const text = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
