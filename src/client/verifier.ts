/**
 * Verifier: what a delivery proves. Pure: from a frame, the log as known, each mailbox's chain and the
 * server's manifest come the next states and the signatures still to be checked; nothing is taken over
 * before those pass. Everything that is hashed or signed is rebuilt here; nothing is believed.
 *
 *   entries → message hashes → link parts → the outbox's output → its attestation → the epoch leaf →
 *   the log → the checkpoint
 */
import type { Verifier } from '#crypto';
import {
  actorLeafHash,
  actorPosition,
  attestationHash,
  type ChainState,
  compareBytes,
  copyHash,
  type Deliver,
  type DeliveredEntry,
  type DeliveredMailbox,
  decodeCheckpoint,
  decodeDeliver,
  ENTRY_KIND,
  type EpochLeaf,
  type EpochPart,
  encodeAttestation,
  equalBytes,
  HASH_BYTES,
  LINK_ENTRY_BYTES,
  link,
  linkParts,
  MAILBOX_KIND,
  putU16,
  putU32,
  ROLE,
  rootFromMultiproof,
  rootFromPath,
  sameBytes,
  stillHash,
  viewOf,
} from '../protocol/index.js';
import type { DeliveryProof, LinkProof, StillProof } from './delivery-proof.js';
import { followCheckpoint, type Grown, type LogState, type LogStep, placeLeaf } from './log-state.js';
import { receivedHashInto } from './received-hash.js';
import { Mismatch, overFrame, type VerificationStep } from './verification-error.js';
import type { World } from './world.js';

/** A signature that must verify before anything a frame says is taken over. */
export interface Obligation {
  readonly key: Verifier;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly step: VerificationStep;
}

/** What the owner knows of its own messages. */
export interface OwnMessages {
  /** Whether an entry with this counter and the hash at `at` can be the owner's. */
  matches(counter: number, hash: Uint8Array, at: number): boolean;
}

/** Where a mailbox stands. Immutable. */
export interface MailboxState {
  readonly mailbox: Uint8Array;
  readonly chain: ChainState;
  /** Epoch of the last leaf verified, link or still. */
  readonly asOf: number;
  /** Counter of the owner's last message in the chain; −1 = not known. */
  readonly ownCounter: number;
  /** Highest epoch that the owner has acknowledged: nothing above may be trimmed. */
  readonly acknowledged: number;
  readonly own: OwnMessages;
}

export interface VerifiedLink extends LinkProof {
  readonly kind: typeof MAILBOX_KIND.link;
  readonly slot: number;
  readonly next: MailboxState;
  readonly entries: readonly DeliveredEntry[];
  /** How many of them the owner sent. */
  readonly own: number;
}

export interface VerifiedStill extends StillProof {
  readonly kind: typeof MAILBOX_KIND.still;
  readonly slot: number;
  readonly next: MailboxState;
}

export type VerifiedMailbox = VerifiedLink | VerifiedStill;

export interface VerifiedDelivery {
  readonly log: LogState;
  readonly epoch: number;
  readonly mailboxes: readonly VerifiedMailbox[];
  readonly obligations: readonly Obligation[];
}

type DeliveredStill = Extract<DeliveredMailbox, { kind: typeof MAILBOX_KIND.still }>;
type DeliveredLink = Exclude<DeliveredMailbox, DeliveredStill>;

export type StateOfSlot = (slot: number) => MailboxState | undefined;

/** Throws `VerificationError`. `outbox`: which one the socket leads to. */
export function verifyDeliver(
  world: World,
  outbox: number,
  log: LogState,
  stateOf: StateOfSlot,
  frame: Uint8Array,
): VerifiedDelivery {
  return overFrame(frame, () => {
    const deliver = decodeDeliver(frame);
    return new Verification(...world.by(deliver, outbox, stateOf), deliver).run(log, stateOf);
  });
}

/** Throws `VerificationError`. */
export function verifyCheckpoint(world: World, log: LogState, frame: Uint8Array): Grown {
  return overFrame(frame, () => followCheckpoint(world, log, decodeCheckpoint(frame)));
}

/** One delivery on its way up: in the end, the delivery for all its mailboxes. */
export class Verification implements DeliveryProof {
  readonly positions: number[] = [];
  readonly hashes: Uint8Array;
  /** Entries of links, in one piece: memory of its own costs each more than its hash. */
  readonly rows: Uint8Array;
  private readonly rowsView: DataView;
  attestation!: Uint8Array;
  epochLeaf!: EpochLeaf;
  step!: LogStep;
  private lastMailbox: Uint8Array | null = null;

  constructor(
    private readonly world: World,
    private readonly outbox: number,
    readonly deliver: Deliver,
  ) {
    let leaves = 0;
    let rows = 0;
    for (const mailbox of deliver.mailboxes) {
      leaves += leavesOf(mailbox);
      if (mailbox.kind === MAILBOX_KIND.link) rows += mailbox.entries.length;
    }
    this.hashes = new Uint8Array(leaves * HASH_BYTES);
    this.rows = new Uint8Array(rows * LINK_ENTRY_BYTES);
    this.rowsView = viewOf(this.rows);
  }

  run(log: LogState, stateOf: StateOfSlot): VerifiedDelivery {
    const { deliver, world } = this;
    const { epoch } = deliver;
    const key = world.keys.get(ROLE.outbox, this.outbox);
    if (!equalBytes(epoch.placementRoot, world.placementRoot))
      throw new Mismatch('epoch', 'another placement');
    const mailboxes = deliver.mailboxes.map((mailbox) => this.openMailbox(mailbox, stateOf));
    this.attestation = this.attest(epoch);
    this.epochLeaf = this.leafOf(epoch);
    this.step = placeLeaf(world, log, this.epochLeaf, deliver.proof);
    const own: Obligation = { key, bytes: this.attestation, signature: epoch.signature, step: 'signature' };
    const { log: next, obligations } = this.step;
    return { log: next, epoch: epoch.epoch, mailboxes, obligations: [own, ...obligations] };
  }

  private leafOf(epoch: EpochPart): EpochLeaf {
    const { actors, manifest } = this.world;
    const actorsRoot = rootFromPath(
      actors,
      actorPosition(manifest, ROLE.outbox, this.outbox),
      actorLeafHash(attestationHash(this.attestation), epoch.signature),
      epoch.actorPath,
    );
    return { ...epoch, actors, actorsRoot };
  }

  /** The bytes that the outbox must have signed. */
  private attest(epoch: EpochPart): Uint8Array {
    const { entries, leaves } = epoch;
    const root = rootFromMultiproof(leaves, this.positions, this.hashes, this.deliver.multiproof);
    return encodeAttestation({
      ...epoch,
      serverId: this.world.serverId,
      role: ROLE.outbox,
      actor: this.outbox,
      outputs: [{ entries, leaves, root }],
    });
  }

  private openMailbox(delivered: DeliveredMailbox, stateOf: StateOfSlot): VerifiedMailbox {
    const state = stateOf(delivered.slot);
    if (!state) throw new Mismatch('slot', `slot ${delivered.slot} is not open`);
    const { epoch } = this.deliver.epoch;
    if (epoch <= state.asOf) throw new Mismatch('chain', `epoch ${epoch} again, as of ${state.asOf}`);
    this.checkOrder(state.mailbox);
    const leaf = this.positions.length;
    const leaves = leavesOf(delivered);
    for (let i = 0; i < leaves; i++) this.positions.push(delivered.position + i);
    return delivered.kind === MAILBOX_KIND.still
      ? this.openStill(delivered, state, leaf)
      : this.openLink(delivered, state, leaf);
  }

  /** An output's leaves are sorted by mailbox, one link or still each. */
  private checkOrder(mailbox: Uint8Array): void {
    if (this.lastMailbox && compareBytes(this.lastMailbox, 0, mailbox, 0, HASH_BYTES) >= 0)
      throw new Mismatch('output', 'mailboxes do not rise');
    this.lastMailbox = mailbox;
  }

  private openStill(
    { kind, slot, trimmedThrough }: DeliveredStill,
    state: MailboxState,
    leaf: number,
  ): VerifiedStill {
    const { epoch } = this.deliver.epoch;
    const { mailbox } = state;
    if (trimmedThrough > state.acknowledged)
      throw new Mismatch('still', `trimmed through ${trimmedThrough}, ${state.acknowledged} is acknowledged`);
    this.hashes.set(stillHash(mailbox, epoch, state.chain, trimmedThrough), leaf * HASH_BYTES);
    return { kind, slot, next: { ...state, asOf: epoch }, delivery: this, mailbox, trimmedThrough, leaf };
  }

  private openLink(
    { kind, slot, entries }: DeliveredLink,
    state: MailboxState,
    firstLeaf: number,
  ): VerifiedLink {
    const { epoch } = this.deliver.epoch;
    const { acknowledged, chain: before, mailbox, own: ownMessages } = state;
    const { length } = entries;
    const firstRow = this.row;
    const own = this.putRows(entries, state);
    const rowAt = (i: number) => (firstRow + i) * LINK_ENTRY_BYTES;
    link(
      viewOf(mailbox),
      0,
      epoch,
      before,
      this.rowsView,
      rowAt,
      length,
      this.hashes,
      firstLeaf * HASH_BYTES,
    );
    const head = new Uint8Array(HASH_BYTES);
    copyHash(this.hashes, (firstLeaf + linkParts(length) - 1) * HASH_BYTES, head, 0);
    const chain = { lastEpoch: epoch, total: before.total + length, head };
    // Every field by name: a spread costs as much as the hash.
    const next = { mailbox, chain, asOf: epoch, ownCounter: this.ownCounter, acknowledged, own: ownMessages };
    return { kind, slot, next, entries, own, delivery: this, mailbox, before, firstRow, firstLeaf };
  }

  private row = 0;
  /** Of the last message of a mailbox's owner that `putRows` found. */
  protected ownCounter = 0;

  /** Fills in inbox, index and message hash of every entry. Returns how many the owner sent. */
  private putRows(entries: readonly DeliveredEntry[], state: MailboxState): number {
    const { world, rows } = this;
    const { mailbox } = state;
    let own = 0;
    let inbox = 0;
    let index = -1;
    this.ownCounter = state.ownCounter;
    for (const entry of entries) {
      const at = this.row++ * LINK_ENTRY_BYTES;
      if (entry.inbox < inbox || (entry.inbox === inbox && entry.index <= index))
        throw new Mismatch('entry', 'places do not rise');
      inbox = entry.inbox;
      index = entry.index;
      putU16(rows, at, inbox);
      putU32(rows, at + 2, index);
      if (
        inbox !==
        (world.inboxes === 1 ? 0 : world.inboxOf(entry.kind === ENTRY_KIND.sent ? mailbox : entry.sender))
      )
        throw new Mismatch('entry', 'not the inbox of its sender');
      if (entry.kind === ENTRY_KIND.sent) copyHash(entry.bytes, entry.at, rows, at + 6);
      else receivedHashInto(world.hasher, mailbox, entry, rows, at + 6);
      if (!isOwn(entry, mailbox)) continue;
      this.checkOwn(state.own, entry.counter, at + 6);
      this.ownCounter = entry.counter;
      own++;
    }
    return own;
  }

  /** A chain whose own messages skip a counter, or show one that the owner never made, is false. */
  protected checkOwn(own: OwnMessages, counter: number, hashAt: number): void {
    const last = this.ownCounter;
    if (last >= 0 && counter !== last + 1)
      throw new Mismatch('own-message', `counter ${counter} follows ${last}`);
    if (!own.matches(counter, this.rows, hashAt))
      throw new Mismatch('own-message', `counter ${counter} is another message`);
  }
}

/** Whether `owner` sent it. */
export function isOwn(entry: DeliveredEntry, owner: Uint8Array): boolean {
  return entry.kind === ENTRY_KIND.sent || sameBytes(entry.bytes, entry.at, owner, 0, HASH_BYTES);
}

function leavesOf(mailbox: DeliveredMailbox): number {
  return mailbox.kind === MAILBOX_KIND.still ? 1 : linkParts(mailbox.entries.length);
}

/** Whether a verified mailbox of a delivery is a link. */
export function isLink(mailbox: VerifiedMailbox): mailbox is VerifiedLink {
  return mailbox.kind === MAILBOX_KIND.link;
}
