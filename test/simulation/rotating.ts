/**
 * New keys for actors of a server that is down, in every fourth run: now and then before a start, by what `keys rotate`
 * does, on the simulated disk. A crash may strike there as anywhere: then the store has decided.
 *
 * Secrets are kept for ever here, for a thief who has read them before they were thrown away.
 */
import { importSecretKey } from '#crypto';
import { type Manifest, type ManifestActor, ROLE, type Role, toHex } from '../../src/protocol/index.js';
import type { Identity } from '../../src/server/founding.js';
import type { ServerKeys } from '../../src/server/keys.js';
import { type NextVersion, nextVersion } from '../../src/server/manifest-change.js';
import type { RecoveryStore } from '../../src/server/recovery.js';

import { Random } from './random.js';

const ROTATING = 0.25;
/** Of the starts; and versions at most. */
const ROTATIONS = 0.4;
const MOST_VERSIONS = 6;
/**
 * Another stream of chance than the run's own, which is the same whether keys are changed or not; one in which keys stay
 * for every seed that has found something before.
 */
const STREAM = 5 * 2 ** 36;

/** Which list of keys an actor's is in, by role. */
const LISTS = [null, 'inboxes', 'routers', 'receivers', 'outboxes', null] as const;

/** A key that is not in use any more, and its secret. */
export interface EndedKey extends ManifestActor {
  readonly seed: Uint8Array;
  /** The newest manifest that it was in use in. */
  readonly manifestHash: Uint8Array;
}

export class Rotating {
  /** Secret seeds by public keys, in hexadecimal. */
  private readonly seeds = new Map<string, Uint8Array>();

  private constructor(private readonly random: Random) {}

  /** Null in a run in which keys stay. */
  static of(seed: number): Rotating | null {
    const random = new Random(seed + STREAM);
    return random.chance(ROTATING) ? new Rotating(random) : null;
  }

  /** The next version, for this start; null most times. */
  next(store: RecoveryStore, identity: Identity, rootSeed: Uint8Array): NextVersion | null {
    const { random } = this;
    if (identity.manifests.length >= MOST_VERSIONS || !random.chance(ROTATIONS)) return null;
    const inUse = identity.manifest.actors.filter(({ lastEpoch }) => lastEpoch === 0);
    const some = random.chance(0.3) ? inUse : inUse.filter(() => random.chance(0.4));
    const chosen = some.length > 0 ? some : [random.pick(inUse)];
    const plan = { ends: chosen, begins: chosen, buckets: identity.manifest.buckets };
    const keys = chosen.map(() => this.make());
    return nextVersion(store, identity, plan, keys, rootSeed);
  }

  private make(): Uint8Array {
    const seed = this.random.bytes(32);
    const { publicKey } = importSecretKey(seed);
    this.seeds.set(toHex(publicKey), seed);
    return publicKey;
  }

  /** The keys that a manifest has in use; `first`: those that the server was founded with. */
  keysOf({ actors }: Manifest, first: ServerKeys): ServerKeys {
    const inUse = (of: Role, before: readonly Uint8Array[]) =>
      before.map((seed, index) => {
        const actor = actors.find(
          (each) => each.role === of && each.index === index && each.lastEpoch === 0,
        )!;
        return this.seeds.get(toHex(actor.key)) ?? seed;
      });
    return {
      root: first.root,
      inboxes: inUse(ROLE.inbox, first.inboxes),
      routers: inUse(ROLE.router, first.routers),
      receivers: inUse(ROLE.receiver, first.receivers),
      outboxes: inUse(ROLE.outbox, first.outboxes),
      sequencer: inUse(ROLE.sequencer, [first.sequencer])[0]!,
    };
  }

  /** Keys that have ended, of stages that attest. */
  ended({ manifests }: Identity, first: ServerKeys): EndedKey[] {
    return manifests.flatMap(({ manifest }, i) =>
      manifest.actors.flatMap((actor) => {
        const list = LISTS[actor.role];
        if (actor.lastEpoch === 0 || !list) return [];
        const seed = this.seeds.get(toHex(actor.key)) ?? first[list][actor.index]!;
        return [{ ...actor, seed, manifestHash: manifests[i - 1]!.hash }];
      }),
    );
  }
}
