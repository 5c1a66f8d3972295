/** New keys for actors of a server that is stopped, by a next version of its manifest. */
import type { Manifest, ManifestActor } from '../protocol/index.js';
import { actorName, changeManifest, type ManifestChange, type Watching } from './manifest-change.js';
import { OperatorError } from './operator-error.js';

/** `names`: actors such as `inbox-0`; null: all. Throws `OperatorError` `actor-unknown`, and as `changeManifest` does. */
export function rotateKeys(
  data: string,
  names: readonly string[] | null,
  watching?: Watching,
): Promise<ManifestChange> {
  const plan = (manifest: Manifest) => {
    const chosen = actorsNamed(manifest, names);
    return { ends: chosen, begins: chosen, buckets: manifest.buckets };
  };
  return changeManifest(data, plan, watching);
}

function actorsNamed({ actors }: Manifest, names: readonly string[] | null): ManifestActor[] {
  const inUse = actors.filter(({ lastEpoch }) => lastEpoch === 0);
  const known = new Map(inUse.map((actor) => [actorName(actor), actor]));
  for (const name of names ?? []) if (!known.has(name)) throw unknownActor(name, [...known.keys()]);
  return inUse.filter((actor) => !names || names.includes(actorName(actor)));
}

function unknownActor(name: string, known: readonly string[]): OperatorError {
  const next = `Its actors: ${known.join(', ')}; or all.`;
  return new OperatorError('actor-unknown', `this server has no actor ${name}`, next);
}
