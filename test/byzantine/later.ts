/** Versions of the manifest that are in force only long after a play: they change nothing of what is proven of it. */
import * as twin from '../twin/index.js';
import { keyPair } from '../worlds.js';
import { ACTORS } from './acts.js';
import type { Theatre } from './theatre.js';

/** More actors, then fewer. */
const LATER = [
  { version: 2, from: 1_000_000n, inboxes: ACTORS.inboxes + 1, outboxes: ACTORS.outboxes + 1 },
  { version: 3, from: 2_000_000n, inboxes: 1, outboxes: ACTORS.outboxes - 1 },
];

/** Each has other numbers of actors than the one before, new keys for all, and ids elsewhere. */
export function addLaterManifests({ world, manifests }: Theatre): void {
  let inUse = world.manifest.actors;
  for (const { version, from, inboxes, outboxes } of LATER) {
    const ended = inUse.map((actor) => ({ ...actor, lastEpoch: from - 1n }));
    inUse = [inboxes, inboxes, outboxes, outboxes, 1].flatMap((count, i) =>
      Array.from({ length: count }, (_, index) => {
        const { id: key } = keyPair(`actor ${i + 1} ${index} of version ${version}`);
        return { role: i + 1, index, key, firstEpoch: from, lastEpoch: 0n };
      }),
    );
    const actors = [...ended, ...inUse].sort(
      (a, b) => a.role - b.role || a.index - b.index || Number(a.firstEpoch - b.firstEpoch),
    );
    const runs = world.manifest.runs.map((run, i) => ({
      ...run,
      inbox: (i + 1) % inboxes,
      outbox: (i + 1) % outboxes,
    }));
    const previousHash = twin.manifestHash(manifests.at(-1)!.bytes);
    const bytes = twin.manifestBytes({ ...world.manifest, version, previousHash, actors, runs });
    manifests.push({ bytes, signature: twin.sign(world.rootSecret, twin.manifestSigned(bytes)) });
  }
}
