/** `countersign manifest`: fetches the manifest of a server, verifies it, and says what is in it. */
import { addresses } from '../client/directory.js';
import { fetchWorld } from '../client/find-server.js';
import type { World } from '../client/world.js';
import {
  actorKey,
  BUCKETS,
  CountersignError,
  type Manifest,
  ROLE,
  ROLE_NAMES,
  toHex,
} from '../protocol/index.js';
import { checkpointKey, encodeVerifierKey } from '../protocol/notes/index.js';
import { urlFrom, urlOption } from './client-options.js';
import { type Command, columns } from './command.js';

const TIMEOUT_MS = 10_000;
/** By their numbers, `SUBMISSIONS`. */
const SUBMISSION_POLICY = ['off', 'accepted', 'required'] as const;
const MEANING: Readonly<Record<(typeof SUBMISSION_POLICY)[number], string>> = {
  off: 'bundles are not signed by their senders',
  accepted: 'bundles may be signed by their senders',
  required: 'bundles must be signed by their senders',
};

export const command: Command = {
  name: 'manifest',
  summary: 'Fetch and verify the manifest of a server, and show it',
  options: urlOption,
  async run({ values, say }) {
    const world = await fetchVerified(addresses(urlFrom(values)).http);
    const shown = describe(world);
    say(inWords(shown, world.manifest));
    return shown;
  },
};

/** The root signature verifies and the hash of this first version is the server id, or it throws. */
export async function fetchVerified(http: string): Promise<World> {
  const ending = new AbortController();
  const late = new CountersignError('connection-lost', `no answer from ${http} within ${TIMEOUT_MS} ms`);
  const timer = setTimeout(() => ending.abort(late), TIMEOUT_MS);
  try {
    return await fetchWorld(http, ending.signal);
  } catch (error) {
    throw ending.signal.aborted ? late : error;
  } finally {
    clearTimeout(timer);
  }
}

function describe({ serverId, manifest }: World) {
  const { version, rootKey, nonce, actors, buckets, policy } = manifest;
  return {
    serverId: toHex(serverId),
    version,
    rootKey: toHex(rootKey),
    nonce: toHex(nonce),
    checkpointKey: encodeVerifierKey(checkpointKey(serverId, actorKey(manifest, ROLE.sequencer, 0))),
    actors: actors.map((actor) => ({ ...actor, role: ROLE_NAMES[actor.role], key: toHex(actor.key) })),
    placement: buckets.map((run, i) => ({
      firstBucket: run.firstBucket,
      lastBucket: (buckets[i + 1]?.firstBucket ?? BUCKETS) - 1,
      inbox: run.inbox,
      outbox: run.outbox,
    })),
    policy: { ...policy, submissions: SUBMISSION_POLICY[policy.submissions]! },
  };
}

function inWords(
  {
    serverId,
    version,
    rootKey,
    checkpointKey: logKey,
    actors,
    placement,
    policy,
  }: ReturnType<typeof describe>,
  manifest: Manifest,
): string {
  const heads = [
    ['server', `${serverId}   (hash of the first manifest)`],
    ['version', `${version}`],
    ['root key', `${rootKey}   (its signature verifies)`],
    ['log key', `${logKey}   (for witnesses)`],
  ];
  const actorRows = actors.map(({ role, index, key, firstEpoch, lastEpoch }) => [
    `${role} ${index}`,
    `${key}   from epoch ${firstEpoch}${lastEpoch === 0 ? '' : ` to ${lastEpoch}`}`,
  ]);
  const placementRows = placement.map(({ firstBucket, lastBucket, inbox, outbox }) => [
    `buckets ${firstBucket} to ${lastBucket}`,
    `inbox ${inbox}, outbox ${outbox}`,
  ]);
  const { submissions, ...limits } = policy;
  const policyRows = [
    ['submissions', `${submissions}: ${MEANING[submissions]}`],
    ...Object.entries(limits).map(([name, value]) => [inLowerCase(name), `${value}`]),
  ];
  return [
    columns(heads),
    `\nActors (${manifest.actors.length}), each with its key:`,
    columns(actorRows),
    `\nPlacement of senders and mailboxes, by bucket:`,
    columns(placementRows),
    '\nPolicy:',
    columns(policyRows),
  ].join('\n');
}

/** `bodyBytes` becomes `body bytes`. */
function inLowerCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
