/**
 * Who changes the manifest of a server that is down, before it starts again: new keys (rotating.ts) and other numbers of
 * actors (moving.ts), one change after the other, each a transaction on the simulated disk. A crash may strike there as
 * anywhere: then the store has decided.
 *
 * Secrets are kept for ever here, for a thief who has read them before they were thrown away.
 */
import { importSecretKey } from '#crypto';
import type { StoreRecord } from '../../src/actors/messages.js';
import { type Manifest, type ManifestActor, ROLE, type Role, toHex } from '../../src/protocol/index.js';
import { type Identity, readIdentity } from '../../src/server/founding.js';
import type { ServerKeys } from '../../src/server/keys.js';
import type { Disk } from './disk.js';
import { Moving } from './moving.js';
import type { Random } from './random.js';
import { Rotating } from './rotating.js';

/** A next version of the manifest, and all that is written with it. */
export interface Change {
  readonly what: string;
  readonly records: readonly StoreRecord[];
}

/** Public key of a secret that is made for an actor. */
export type MakeKey = (random: Random) => Uint8Array;

/** A key that is not in use any more, and its secret. */
export interface EndedKey extends ManifestActor {
  readonly seed: Uint8Array;
  /** The newest manifest that it was in use in. */
  readonly manifestHash: Uint8Array;
}

export class Operator {
  /** Secret seeds by public keys, in hexadecimal. */
  private readonly seeds = new Map<string, Uint8Array>();
  private rootSeed = new Uint8Array(0);
  private readonly rotating: Rotating | null;
  private readonly moving: Moving | null;

  constructor(seed: number) {
    this.rotating = Rotating.of(seed);
    this.moving = Moving.of(seed);
  }

  /** Whether numbers of actors change in this run, if it is ever stopped. */
  get isMoving(): boolean {
    return this.moving !== null;
  }

  /** Those that the server is founded with. */
  keeps({ root, inboxes, routers, receivers, outboxes, sequencer }: ServerKeys): void {
    this.rootSeed = Uint8Array.from(root);
    for (const seed of [...inboxes, ...routers, ...receivers, ...outboxes, sequencer]) this.keep(seed);
  }

  private keep(seed: Uint8Array): Uint8Array {
    const { publicKey } = importSecretKey(seed);
    this.seeds.set(toHex(publicKey), seed);
    return publicKey;
  }

  /** What is done before this start. Go on when the one before is durable. */
  *changes(disk: Disk): Generator<Change, void> {
    const { rotating, moving, rootSeed } = this;
    const make: MakeKey = (random) => this.keep(random.bytes(32));
    const identity = () => readIdentity(disk)!;
    const isLast = moving?.rotatesLast() ?? false;
    const rotated = isLast ? null : rotating?.next(disk, identity(), rootSeed, make);
    if (rotated) yield rotated;
    for (let moved = moving?.next(disk, identity(), rootSeed, make); moved; ) {
      yield moved;
      moved = moving!.again(disk, identity(), rootSeed, make);
    }
    const late = isLast ? rotating?.next(disk, identity(), rootSeed, make) : null;
    if (late) yield late;
  }

  /** The secrets of the keys that a manifest has in use. */
  keysOf({ actors }: Manifest): ServerKeys {
    const of = (role: Role) =>
      actors
        .filter((actor) => actor.role === role && actor.lastEpoch === 0)
        .sort((a, b) => a.index - b.index)
        .map(({ key }) => this.seeds.get(toHex(key))!);
    return {
      root: this.rootSeed,
      inboxes: of(ROLE.inbox),
      routers: of(ROLE.router),
      receivers: of(ROLE.receiver),
      outboxes: of(ROLE.outbox),
      sequencer: of(ROLE.sequencer)[0]!,
    };
  }

  /** Keys that have ended, of stages that attest. */
  ended({ manifests }: Identity): EndedKey[] {
    return manifests.flatMap(({ manifest }, i) =>
      manifest.actors.flatMap((actor) => {
        if (actor.lastEpoch === 0 || actor.role === ROLE.sequencer) return [];
        const seed = this.seeds.get(toHex(actor.key))!;
        return [{ ...actor, seed, manifestHash: manifests[i - 1]!.hash }];
      }),
    );
  }
}
