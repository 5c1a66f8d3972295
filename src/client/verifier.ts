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
  stillHash,
  viewOf,
} from '../protocol/index.js';
import type { Evidence, LinkEvidence } from './evidence.js';
import { followCheckpoint, type LogState, placeLeaf } from './log-state.js';
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

export interface VerifiedLink extends LinkEvidence {
  readonly kind: typeof MAILBOX_KIND.link;
  readonly slot: number;
  readonly next: MailboxState;
  readonly entries: readonly DeliveredEntry[];
}

export interface VerifiedStill {
  readonly kind: typeof MAILBOX_KIND.still;
  readonly slot: number;
  readonly next: MailboxState;
  readonly evidence: Evidence;
  readonly mailbox: Uint8Array;
  readonly trimmedThrough: number;
  readonly leaf: number;
}

export interface VerifiedDelivery {
  readonly log: LogState;
  readonly epoch: number;
  readonly mailboxes: readonly (VerifiedLink | VerifiedStill)[];
  readonly obligations: readonly Obligation[];
}

export type StateOfSlot = (slot: number) => MailboxState | undefined;

/** Throws `VerificationError`. `outbox`: which one the socket leads to. */
export function verifyDeliver(
  world: World,
  outbox: number,
  log: LogState,
  stateOf: StateOfSlot,
  frame: Uint8Array,
): VerifiedDelivery {
  return overFrame(frame, () => new Verification(world, outbox, decodeDeliver(frame)).run(log, stateOf));
}

/** Throws `VerificationError`. */
export function verifyCheckpoint(
  world: World,
  log: LogState,
  frame: Uint8Array,
): { readonly log: LogState; readonly obligation: Obligation } {
  return overFrame(frame, () => followCheckpoint(world, log, decodeCheckpoint(frame)));
}

/** One delivery on its way up. */
class Verification {
  private readonly positions: number[] = [];
  private readonly hashes: Uint8Array;
  private leaf = 0;

  constructor(
    private readonly world: World,
    private readonly outbox: number,
    private readonly deliver: Deliver,
  ) {
    const leaves = deliver.mailboxes.reduce((sum, mailbox) => sum + leavesOf(mailbox), 0);
    this.hashes = new Uint8Array(leaves * HASH_BYTES);
  }

  run(log: LogState, stateOf: StateOfSlot): VerifiedDelivery {
    const { deliver, world } = this;
    const { epoch } = deliver;
    if (!equalBytes(epoch.manifestHash, world.manifestHash)) throw new Mismatch('epoch', 'other manifest');
    if (!equalBytes(epoch.placementRoot, world.placementRoot)) throw new Mismatch('epoch', 'other placement');
    const opened = deliver.mailboxes.map((mailbox) => this.openMailbox(mailbox, stateOf));
    const attestation = this.attestation(epoch);
    const epochLeaf = this.epochLeaf(epoch, attestation);
    const step = placeLeaf(world, log, epochLeaf, deliver.proof);
    const evidence: Evidence = {
      attestation,
      signature: epoch.signature,
      actorPath: epoch.actorPath,
      epochLeaf,
      logIndex: deliver.proof.logIndex,
      logPath: step.path,
      checkpoint: step.log.checkpoint,
      leaves: epoch.leaves,
      positions: this.positions,
      hashes: this.hashes,
      multiproof: deliver.multiproof,
    };
    const key = world.keys.get(ROLE.outbox, this.outbox);
    const obligations: Obligation[] = [
      { key, bytes: attestation, signature: epoch.signature, step: 'signature' },
    ];
    if (step.obligation) obligations.push(step.obligation);
    return {
      log: step.log,
      epoch: epoch.epoch,
      mailboxes: opened.map((open) => open(evidence)),
      obligations,
    };
  }

  private epochLeaf(epoch: EpochPart, attestation: Uint8Array): EpochLeaf {
    const { world } = this;
    const actorsRoot = rootFromPath(
      world.actors,
      actorPosition(world.manifest, ROLE.outbox, this.outbox),
      actorLeafHash(attestationHash(attestation), epoch.signature),
      epoch.actorPath,
    );
    return {
      epoch: epoch.epoch,
      previousEpoch: epoch.previousEpoch,
      base: epoch.base,
      manifestHash: epoch.manifestHash,
      placementRoot: epoch.placementRoot,
      actors: world.actors,
      actorsRoot,
    };
  }

  /** The bytes that the outbox must have signed. */
  private attestation(epoch: EpochPart): Uint8Array {
    const root = rootFromMultiproof(epoch.leaves, this.positions, this.hashes, this.deliver.multiproof);
    return encodeAttestation({
      serverId: this.world.serverId,
      role: ROLE.outbox,
      actor: this.outbox,
      epoch: epoch.epoch,
      base: epoch.base,
      manifestHash: epoch.manifestHash,
      placementRoot: epoch.placementRoot,
      inputs: epoch.inputs,
      outputs: [{ entries: epoch.entries, leaves: epoch.leaves, root }],
    });
  }

  private openMailbox(
    delivered: DeliveredMailbox,
    stateOf: StateOfSlot,
  ): (evidence: Evidence) => VerifiedLink | VerifiedStill {
    const state = stateOf(delivered.slot);
    if (!state) throw new Mismatch('slot', `slot ${delivered.slot} is not open`);
    const { epoch } = this.deliver.epoch;
    if (epoch <= state.asOf) throw new Mismatch('chain', `epoch ${epoch} again, as of ${state.asOf}`);
    this.checkOrder(state.mailbox);
    const leaf = this.leaf;
    for (let i = 0; i < leavesOf(delivered); i++) this.positions.push(delivered.position + i);
    this.leaf += leavesOf(delivered);
    return delivered.kind === MAILBOX_KIND.still
      ? this.openStill(delivered.slot, delivered.trimmedThrough, state, leaf)
      : this.openLink(delivered.slot, delivered.entries, state, leaf);
  }

  private lastMailbox: Uint8Array | null = null;

  /** An output's leaves are sorted by mailbox, one link or still each. */
  private checkOrder(mailbox: Uint8Array): void {
    if (this.lastMailbox && compareBytes(this.lastMailbox, 0, mailbox, 0, HASH_BYTES) >= 0)
      throw new Mismatch('output', 'mailboxes do not rise');
    this.lastMailbox = mailbox;
  }

  private openStill(
    slot: number,
    trimmedThrough: number,
    state: MailboxState,
    leaf: number,
  ): (evidence: Evidence) => VerifiedStill {
    const { epoch } = this.deliver.epoch;
    if (trimmedThrough > state.acknowledged)
      throw new Mismatch('still', `trimmed through ${trimmedThrough}, ${state.acknowledged} is acknowledged`);
    this.hashes.set(stillHash(state.mailbox, epoch, state.chain, trimmedThrough), leaf * HASH_BYTES);
    const next = { ...state, asOf: epoch };
    const { mailbox } = state;
    return (evidence) => ({
      kind: MAILBOX_KIND.still,
      slot,
      next,
      evidence,
      mailbox,
      trimmedThrough,
      leaf,
    });
  }

  private openLink(
    slot: number,
    entries: readonly DeliveredEntry[],
    state: MailboxState,
    leaf: number,
  ): (evidence: Evidence) => VerifiedLink {
    const { epoch } = this.deliver.epoch;
    const { chain, mailbox } = state;
    const rows = new Uint8Array(entries.length * LINK_ENTRY_BYTES);
    const ownCounter = this.rows(entries, state, rows);
    const at = leaf * HASH_BYTES;
    link(viewOf(mailbox), 0, epoch, chain, viewOf(rows), rowOffset, entries.length, this.hashes, at);
    const last = (leaf + linkParts(entries.length)) * HASH_BYTES;
    const head = this.hashes.slice(last - HASH_BYTES, last);
    const next: MailboxState = {
      ...state,
      chain: { lastEpoch: epoch, total: chain.total + entries.length, head },
      asOf: epoch,
      ownCounter,
    };
    return (evidence) => ({
      kind: MAILBOX_KIND.link,
      slot,
      next,
      entries,
      evidence,
      mailbox,
      before: chain,
      rows,
      firstLeaf: leaf,
    });
  }

  /** Fills in inbox, index and message hash of every entry. Returns the owner's last counter. */
  private rows(entries: readonly DeliveredEntry[], state: MailboxState, rows: Uint8Array): number {
    const { world } = this;
    let ownCounter = state.ownCounter;
    let inbox = 0;
    let index = -1;
    for (let i = 0, at = 0; i < entries.length; i++, at += LINK_ENTRY_BYTES) {
      const entry = entries[i]!;
      if (entry.inbox < inbox || (entry.inbox === inbox && entry.index <= index))
        throw new Mismatch('entry', 'places do not rise');
      inbox = entry.inbox;
      index = entry.index;
      putU16(rows, at, inbox);
      putU32(rows, at + 2, index);
      const sent = entry.kind === ENTRY_KIND.sent;
      const sender = sent ? state.mailbox : entry.sender;
      if (inbox !== world.inboxOf(sender)) throw new Mismatch('entry', 'not the inbox of its sender');
      if (sent) rows.set(entry.messageHash, at + 6);
      else receivedHashInto(world.hasher, state.mailbox, entry, rows, at + 6);
      if (sent || equalBytes(sender, state.mailbox)) {
        checkOwn(state.own, ownCounter, entry.counter, rows, at + 6);
        ownCounter = entry.counter;
      }
    }
    return ownCounter;
  }
}

/** A chain whose own messages skip a counter, or show one that the owner never made, is false. */
function checkOwn(own: OwnMessages, last: number, counter: number, rows: Uint8Array, hashAt: number): void {
  if (last >= 0 && counter !== last + 1)
    throw new Mismatch('own-message', `counter ${counter} follows ${last}`);
  if (!own.matches(counter, rows, hashAt))
    throw new Mismatch('own-message', `counter ${counter} is not the message that was sent`);
}

function rowOffset(i: number): number {
  return i * LINK_ENTRY_BYTES;
}

function leavesOf(mailbox: DeliveredMailbox): number {
  return mailbox.kind === MAILBOX_KIND.still ? 1 : linkParts(mailbox.entries.length);
}
