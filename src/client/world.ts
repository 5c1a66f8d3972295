/** What a client knows of its server and holds everything against: id, manifest, keys, placement. */
import { type Verifier, verifierOf } from '#crypto';
import {
  countActors,
  EMPTY_ROOT,
  epochActors,
  equalBytes,
  KeyBook,
  type Manifest,
  MessageHasher,
  manifestHash,
  openManifestLater,
  placementOf,
  ROLE,
  toHex,
} from '../protocol/index.js';
import { VerificationError } from './verification-error.js';

/** Senders whose inbox is remembered, when there is more than one inbox. */
const PLACEMENTS_CACHED = 100_000;

export class World {
  /** A server's id is the hash of its first manifest, and there is no other yet. */
  readonly manifestHash: Uint8Array;
  readonly keys: KeyBook<Verifier>;
  readonly hasher: MessageHasher;
  /** Attestations in an epoch. */
  readonly actors: number;
  /** Without exceptions, of which no manifest can tell yet. */
  readonly placementRoot = EMPTY_ROOT;
  readonly inboxes: number;
  private inboxBySender = new Map<string, number>();

  constructor(
    readonly serverId: Uint8Array,
    readonly manifest: Manifest,
    /** The manifest as it was handed over, and its root signature. */
    readonly manifestBytes: Uint8Array,
    readonly manifestSignature: Uint8Array,
  ) {
    this.manifestHash = serverId;
    this.keys = new KeyBook(manifest, verifierOf);
    this.hasher = new MessageHasher(serverId);
    this.actors = epochActors(manifest);
    this.inboxes = countActors(manifest, ROLE.inbox);
  }

  /**
   * Opens what a server handed over. A server id is the hash of manifest version 1, so the bytes prove
   * themselves. Rejects with `VerificationError`.
   */
  static async open(manifest: Uint8Array, signature: Uint8Array): Promise<World> {
    const hash = manifestHash(manifest);
    try {
      const opened = await openManifestLater(manifest, signature);
      if (opened.version === 1) return new World(hash, opened, manifest, signature);
    } catch (error) {
      throw new VerificationError('manifest', String(error), manifest, { cause: error });
    }
    throw new VerificationError('manifest', 'not a first manifest', manifest);
  }

  is(serverId: Uint8Array): boolean {
    return equalBytes(serverId, this.serverId);
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
