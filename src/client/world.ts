/** What a client knows of its server and holds everything against: id, manifests, keys, placement. */
import { type Verifier, verifierOf } from '#crypto';
import {
  type AcceptedManifest,
  countActors,
  EMPTY_ROOT,
  type EpochPart,
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

  /** `manifests`: all versions from the first one on; they change keys alone. */
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

  /** The keys that an epoch is signed with. Throws `Mismatch`. Where there are several manifests: manifests.ts. */
  keysOf({ manifestHash }: EpochPart): KeyBook<Verifier> {
    if (!equalBytes(manifestHash, this.manifestHash)) throw new Mismatch('epoch', 'another manifest');
    return this.keys;
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
