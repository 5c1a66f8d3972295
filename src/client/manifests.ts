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
  equalBytes,
  FormatError,
  inOrder,
  MOST_MANIFESTS,
  type OpenedManifest,
  toHex,
} from '../protocol/index.js';
import { acceptManifest, getJson } from './directory.js';
import type { Gateway } from './gateway.js';
import { verifying } from './opening-log.js';
import type { Change, Saved, Store } from './store.js';
import { VerificationError } from './verification-error.js';
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
  return world;
}

function otherServer(expected: Uint8Array, serverId: Uint8Array): CountersignError {
  const text = `server ${toHex(serverId)} answers, not ${toHex(expected)}`;
  return new CountersignError('wrong-server', text);
}

/** Takes over the versions behind those that are known, one of which the server has named. Rejects as `openWorld` does. */
export async function follow({ ending, events, ground, persister }: Gateway): Promise<void> {
  const { world, http } = ground;
  const { manifests: known, named } = world;
  if (!named) return;
  try {
    const all = await goOn(http, known, ending.signal);
    // An older one cannot come back.
    if (!all.slice(known.length).some(({ hash }) => equalBytes(hash, named)))
      throw new VerificationError(
        'manifest',
        `the server names ${toHex(named)}, which is none of its newer ones`,
      );
    // Another socket may have been quicker.
    if (all.length <= world.manifests.length) return;
    const change = changeOf(all);
    await new Promise<void>((saved) =>
      persister.mark({ marked: false, changes: (out) => out.push(change), saved }),
    );
    Object.assign(world, worldOf(all), { named: undefined });
  } catch (error) {
    const { evidence } = error as VerificationError;
    if (evidence) events.emit('evidence', { mailbox: 0, evidence });
    throw error;
  }
}

/** Takes every epoch by the manifest that is in force in it. */
function worldOf(all: readonly OpenedManifest[]): World {
  const versions = all.map((_, i) => new World(all.slice(0, i + 1)));
  const world = new World(all);
  world.keysOf = (part) => {
    const at = all.findLastIndex(({ from }) => part.epoch >= from);
    return versions[Math.max(0, at)]!.keysOf(part);
  };
  return world;
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
  const { accuseOperator } = await verifying.get(signal);
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
