/** Secrets of all keys that a server ever had. They are kept for ever here, for a thief who has read them before they were thrown away. */
import { importSecretKey } from '#crypto';
import { type Manifest, type ManifestActor, ROLE, type Role, toHex } from '../../src/protocol/index.js';
import type { Identity } from '../../src/server/founding.js';
import type { ServerKeys } from '../../src/server/keys.js';
import type { Random } from './random.js';

/** A key that is not in use any more, and its secret. */
export interface EndedKey extends ManifestActor {
  readonly seed: Uint8Array;
  /** The newest manifest that it was in use in. */
  readonly manifestHash: Uint8Array;
}

export class Secrets {
  readonly root: Uint8Array;
  /** Secret seeds by public keys, in hexadecimal. */
  private readonly seeds = new Map<string, Uint8Array>();

  /** With those that the server is founded with. */
  constructor({ root, inboxes, routers, receivers, outboxes, sequencer }: ServerKeys) {
    this.root = root;
    for (const seed of [...inboxes, ...routers, ...receivers, ...outboxes, sequencer]) this.keep(seed);
  }

  /** Returns the public key. */
  private keep(seed: Uint8Array): Uint8Array {
    const { publicKey } = importSecretKey(seed);
    this.seeds.set(toHex(publicKey), seed);
    return publicKey;
  }

  /** The public key of a new one. */
  make(random: Random): Uint8Array {
    return this.keep(random.bytes(32));
  }

  private of({ key }: ManifestActor): Uint8Array {
    return this.seeds.get(toHex(key))!;
  }

  /** Those that a manifest has in use. */
  keysOf({ actors }: Manifest): ServerKeys {
    const of = (role: Role) =>
      actors
        .filter((actor) => actor.role === role && actor.lastEpoch === 0)
        .sort((a, b) => a.index - b.index)
        .map((actor) => this.of(actor));
    return {
      root: this.root,
      inboxes: of(ROLE.inbox),
      routers: of(ROLE.router),
      receivers: of(ROLE.receiver),
      outboxes: of(ROLE.outbox),
      sequencer: of(ROLE.sequencer)[0]!,
    };
  }

  /** Those that have ended, of stages that attest. */
  ended({ manifests }: Identity): EndedKey[] {
    return manifests.flatMap(({ manifest }, i) =>
      manifest.actors.flatMap((actor) => {
        if (actor.lastEpoch === 0 || actor.role === ROLE.sequencer) return [];
        return [{ ...actor, seed: this.of(actor), manifestHash: manifests[i - 1]!.hash }];
      }),
    );
  }
}
