/** What a client knows of its server and holds everything against: id, manifests, keys, placement. */
import { type Verifier, verifierOf } from '#crypto';
import {
  type AcceptedManifest,
  countActors,
  type Deliver,
  EMPTY_ROOT,
  epochActors,
  equalBytes,
  KeyBook,
  type Manifest,
  MessageHasher,
  placementOf,
  ROLE,
  toHex,
} from '../protocol/index.js';
import { Mismatch } from './verification-error.js';
import type { StateOfSlot } from './verifier.js';

/** Senders whose inbox is remembered, when there is more than one inbox. */
const PLACEMENTS_CACHED = 100_000;

export class World {
  /** Of the newest manifest, as `keys`: it signs checkpoints. */
  readonly manifest: Manifest;
  readonly manifestHash: Uint8Array;
  readonly keys: KeyBook<Verifier>;
  readonly hasher: MessageHasher;
  /** Attestations in an epoch. */
  readonly actors: number;
  /** Without exceptions, of which no manifest can tell yet. */
  readonly placementRoot = EMPTY_ROOT;
  readonly inboxes: number;
  /** What the server has named as its newest manifest, where that is not known yet. */
  named?: Uint8Array;
  private inboxBySender = new Map<string, number>();

  readonly serverId: Uint8Array;

  /** `manifests`: all versions from the first one on. */
  constructor(readonly manifests: readonly AcceptedManifest[]) {
    const { manifest, hash } = manifests.at(-1)!;
    // The hash of the first manifest, so the bytes prove themselves.
    this.serverId = manifests[0]!.hash;
    this.manifest = manifest;
    this.manifestHash = hash;
    this.keys = new KeyBook(manifest, verifierOf);
    this.hasher = new MessageHasher(this.serverId);
    this.actors = epochActors(manifest);
    this.inboxes = countActors(manifest, ROLE.inbox);
  }

  /**
   * The version that is in force in a delivery's epoch, and the outbox that signed it, of what comes from this one. Throws
   * `Mismatch`. Where there are several manifests: manifests.ts.
   */
  by({ epoch }: Deliver, outbox: number, _stateOf?: StateOfSlot): readonly [world: World, outbox: number] {
    if (!equalBytes(epoch.manifestHash, this.manifestHash)) throw new Mismatch('epoch', 'another manifest');
    return [this, outbox];
  }

  outboxOf(mailbox: Uint8Array): number {
    return placementOf(this.manifest, this.serverId, mailbox).outbox;
  }

  /** The inbox that takes a sender's bundles. */
  inboxOf(sender: Uint8Array): number {
    const id = toHex(sender);
    let inbox = this.inboxBySender.get(id);
    if (inbox === undefined) {
      if (this.inboxBySender.size >= PLACEMENTS_CACHED) this.inboxBySender = new Map();
      inbox = placementOf(this.manifest, this.serverId, sender).inbox;
      this.inboxBySender.set(id, inbox);
    }
    return inbox;
  }
}
