/** New keys for actors of a server that is down, in every fourth run: now and then before a start, by what `keys rotate` does. */
import type { Identity } from '../../src/server/founding.js';
import { nextVersion } from '../../src/server/manifest-change.js';
import type { RecoveryStore } from '../../src/server/recovery.js';
import type { Change } from './operator.js';
import { Random } from './random.js';
import type { Secrets } from './secrets.js';

const ROTATING = 0.25;
/** Of the starts; and versions at most. */
const ROTATIONS = 0.4;
const MOST_VERSIONS = 6;
/**
 * Another stream of chance than the run's own, which is the same whether keys are changed or not; one in which keys stay
 * for every seed that has found something before.
 */
const STREAM = 5 * 2 ** 36;

export class Rotating {
  private constructor(private readonly random: Random) {}

  /** Null in a run in which keys stay. */
  static of(seed: number): Rotating | null {
    const random = new Random(seed + STREAM);
    return random.chance(ROTATING) ? new Rotating(random) : null;
  }

  /** The next version, for this start; null most times. */
  next(store: RecoveryStore, identity: Identity, secrets: Secrets): Change | null {
    const { random } = this;
    if (identity.manifests.length >= MOST_VERSIONS || !random.chance(ROTATIONS)) return null;
    const inUse = identity.manifest.actors.filter(({ lastEpoch }) => lastEpoch === 0);
    const some = random.chance(0.3) ? inUse : inUse.filter(() => random.chance(0.4));
    const chosen = some.length > 0 ? some : [random.pick(inUse)];
    const plan = { ends: chosen, begins: chosen, buckets: identity.manifest.buckets };
    const keys = chosen.map(() => secrets.make(random));
    const { manifest, firstEpoch, records } = nextVersion(store, identity, plan, keys, secrets.root);
    return { what: `has version ${manifest.version} of its manifest from epoch ${firstEpoch} on`, records };
  }
}
