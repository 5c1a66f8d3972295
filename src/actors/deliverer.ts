/**
 * Deliverer: the outbox's half that faces clients. Sends each committed epoch to who is up to date, and
 * from the store to who is behind. A socket that does not take its bytes gets no more until it does.
 */
import {
  BundleCursor,
  type BundleLimits,
  type ChainState,
  type Checkpoint,
  encodeCheckpoint,
  encodeEndOfBacklog,
  gapHashes,
  LOG_MODE,
  type LogProof,
  linkParts,
  logPath,
  MAILBOX_KIND,
  multiproof,
  putDeliverHead,
  putReceivedEntry,
  putSentEntry,
  RecipientTree,
  Writer,
} from '../protocol/index.js';
import { BodyPacker } from './body-packer.js';
import { type CommittedEpoch, CommittedEpochs } from './committed-epochs.js';
import { isSent, type Links } from './epoch-file.js';
import { logNodes } from './log-store.js';
import type { Memory } from './memory.js';
import { address, type Committed, type Send, type StoreReader } from './messages.js';
import type { SignedEpoch, Still } from './signed-epoch.js';
import { type Connection, type Due, positionOf, type Subscription } from './subscription.js';

export interface DelivererOptions {
  readonly index: number;
  readonly reader: StoreReader;
  readonly memory: Memory;
  readonly limits: BundleLimits;
  readonly lastEpoch: number;
  /** The newest at start. */
  readonly checkpoint: Checkpoint;
  readonly actorPosition: number;
  /** Bytes a socket may have outstanding before it is left alone. */
  readonly bytesInFlight: number;
  /** All sockets together; once they have so much, each may have an equal share of it. */
  readonly bytesInFlightInAll: number;
  /** Where a mailbox's chain ends, uncommitted epoch included. */
  readonly chainOf: (mailbox: string) => ChainState;
  /** Takes an acknowledgment that came before its epoch was sent on this socket. */
  readonly acknowledge: (mailbox: string, epoch: number) => void;
  /** Links of the epoch that is not committed yet. */
  readonly pending: () => Links | null;
}

/** Old epochs read in one step, for all who are behind, and for one of them before the next has a turn. */
const EPOCHS_PER_STEP = 64;
const EPOCHS_PER_TURN = 8;

/** A deliver frame is closed once it is longer; one mailbox's epoch is never split. */
const FRAME_TARGET = 256 << 10;

export class Deliverer {
  private readonly connections = new Map<number, Connection>();
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly epochs: CommittedEpochs;
  private readonly cursor: BundleCursor;
  /** Recipients' trees of the epoch that is being delivered, by the bundle's offset in the bodies. */
  private readonly trees = new Map<number, RecipientTree>();
  private treesOf: CommittedEpoch | null = null;
  private readonly out = new Writer(FRAME_TARGET * 2);
  private checkpoint: Checkpoint;
  /**
   * Those who are behind and have room, whose turn is next first. Who is behind and not among them has
   * bytes outstanding, and comes back when its socket has taken them.
   */
  private readonly waiting = new Set<Connection>();
  /** Bytes that all sockets together have not taken yet. */
  private inFlight = 0;
  committedEpoch: number;

  constructor(
    private readonly options: DelivererOptions,
    private readonly send: Send,
  ) {
    this.epochs = new CommittedEpochs(options.reader, options.memory, options.index, options.actorPosition);
    this.cursor = new BundleCursor(options.limits);
    this.committedEpoch = options.lastEpoch;
    this.checkpoint = options.checkpoint;
  }

  // ---- sessions

  /** Opens a mailbox on a socket; an older socket that has it is told, and loses it. */
  subscribe(mailbox: string, number: number, slot: number, acknowledged: number, logSize: number): void {
    this.displace(mailbox);
    let connection = this.connections.get(number);
    if (!connection) {
      connection = { number, slots: new Map(), behind: new Set(), inFlight: 0, logSize, due: [] };
      this.connections.set(number, connection);
    }
    const sentEpoch = acknowledged;
    const subscription = { mailbox, slot, connection, sentEpoch, wanted: 0, live: false, backlog: [] };
    connection.slots.set(slot, subscription);
    this.subscriptions.set(mailbox, subscription);
    connection.behind.add(subscription);
    this.pump(connection);
  }

  private displace(mailbox: string): void {
    const older = this.subscriptions.get(mailbox);
    if (!older) return;
    this.forget(older);
    this.send(address('gateway'), {
      type: 'displaced',
      connection: older.connection.number,
      slot: older.slot,
    });
  }

  private forget({ mailbox, slot, connection }: Subscription): void {
    const subscription = connection.slots.get(slot)!;
    connection.slots.delete(slot);
    connection.behind.delete(subscription);
    this.subscriptions.delete(mailbox);
  }

  disconnected(number: number): void {
    const connection = this.connections.get(number);
    if (!connection) return;
    for (const subscription of [...connection.slots.values()]) this.forget(subscription);
    this.connections.delete(number);
    this.waiting.delete(connection);
    this.inFlight -= connection.inFlight;
  }

  drained(number: number, bytes: number): void {
    const connection = this.connections.get(number);
    if (!connection) return;
    connection.inFlight -= bytes;
    this.inFlight -= bytes;
    this.pump(connection);
  }

  mailboxAt(number: number, slot: number): string | undefined {
    return this.connections.get(number)?.slots.get(slot)?.mailbox;
  }

  /**
   * Whether a mailbox's owner may acknowledge through `epoch` now: what this session has not been sent
   * yet must stay, or its bodies would be deleted before they are. Then it is remembered for later.
   */
  mayAcknowledge(number: number, slot: number, epoch: number): boolean {
    const subscription = this.connections.get(number)!.slots.get(slot)!;
    // Who is up to date has been sent everything there is.
    if (subscription.live || epoch <= subscription.sentEpoch || epoch > this.committedEpoch) return true;
    subscription.wanted = Math.max(subscription.wanted, epoch);
    return false;
  }

  /** Links of a committed epoch, or of the one that is being committed. */
  linksOf(epoch: number): Links | null {
    const pending = this.options.pending();
    return pending?.epoch === epoch ? pending : this.epochs.links(epoch);
  }

  // ---- an epoch is committed

  committed(message: Committed, signed: SignedEpoch): void {
    this.committedEpoch = message.epoch;
    this.checkpoint = message.checkpoint;
    const epoch = this.epochs.add(message, signed);
    for (const connection of this.collectDue(epoch)) {
      this.deliver(connection, epoch, connection.due);
      connection.due = [];
    }
    this.pumpSome();
    this.trees.clear();
  }

  private collectDue(epoch: CommittedEpoch): Set<Connection> {
    const due = new Set<Connection>();
    const add = (mailbox: string, link: number, still: Still | null) => {
      const subscription = this.subscriptions.get(mailbox);
      if (!subscription?.live) return;
      const { connection } = subscription;
      if (!this.hasRoom(connection)) {
        this.fallBehind(subscription);
        return;
      }
      connection.due.push({ subscription, link, still });
      due.add(connection);
    };
    for (let i = 0; i < epoch.links.mailboxes; i++) add(epoch.links.mailbox(i), i, null);
    for (const [mailbox, still] of epoch.stills) add(mailbox, -1, still);
    return due;
  }

  private fallBehind(subscription: Subscription): void {
    subscription.live = false;
    subscription.connection.behind.add(subscription);
  }

  // ---- who is behind

  /** Bytes that a socket may have outstanding: less for each when all of them together have much. */
  private hasRoom(connection: Connection): boolean {
    const { bytesInFlight, bytesInFlightInAll } = this.options;
    if (this.inFlight < bytesInFlightInAll) return connection.inFlight < bytesInFlight;
    return connection.inFlight < Math.min(bytesInFlight, bytesInFlightInAll / this.connections.size);
  }

  private pump(connection: Connection): void {
    if (connection.behind.size > 0) this.waiting.add(connection);
    this.pumpSome();
  }

  /**
   * Goes on with those who are behind, in turns and so many epochs per step: reading an old one costs as
   * much as making it. What is left goes on with the next message, at the latest with the heartbeat.
   */
  private pumpSome(): void {
    let budget = EPOCHS_PER_STEP;
    for (const connection of this.waiting) {
      if (budget <= 0) return;
      this.waiting.delete(connection);
      budget -= this.pumpTurn(connection);
      if (connection.behind.size > 0 && this.hasRoom(connection)) this.waiting.add(connection);
    }
  }

  /** Serves the connection's longest waiting mailbox for a while; it then waits behind the others. */
  private pumpTurn(connection: Connection): number {
    const [subscription] = connection.behind;
    let epochs = 0;
    while (subscription && epochs < EPOCHS_PER_TURN && this.hasRoom(connection)) {
      epochs++;
      const epoch = this.nextEpoch(subscription);
      if (epoch === undefined) {
        this.caughtUp(subscription);
        return epochs;
      }
      this.bringCheckpoint(connection);
      const committed = this.epochs.get(epoch);
      const link = committed.links.find(subscription.mailbox);
      this.deliver(connection, committed, [{ subscription, link, still: null }]);
    }
    if (subscription && connection.behind.delete(subscription)) connection.behind.add(subscription);
    return epochs;
  }

  /** The mailbox's next committed epoch after what was sent. Walks the links back when it has no list. */
  private nextEpoch(subscription: Subscription): number | undefined {
    const { mailbox, backlog } = subscription;
    if (backlog.length === 0) {
      for (let e = this.options.chainOf(mailbox).lastEpoch; e > subscription.sentEpoch; ) {
        if (e <= this.committedEpoch) backlog.push(e);
        const links = this.linksOf(e);
        if (!links) throw new Error(`epoch ${e} of a mailbox is missing in the store`);
        e = links.previousEpoch(links.find(mailbox));
      }
    }
    return backlog.pop();
  }

  private caughtUp(subscription: Subscription): void {
    subscription.live = true;
    subscription.wanted = 0;
    subscription.connection.behind.delete(subscription);
    this.bringCheckpoint(subscription.connection);
    this.emit(subscription.connection, [
      encodeEndOfBacklog({ slot: subscription.slot, epoch: this.committedEpoch }).slice(),
    ]);
  }

  /** Brings the client to the newest checkpoint, under which a backlog is then proven. */
  private bringCheckpoint(connection: Connection): void {
    const { checkpoint } = this;
    if (connection.logSize >= checkpoint.size) return;
    const from = connection.logSize;
    const gap = gapHashes(logNodes(this.options.reader), from, checkpoint.size);
    connection.logSize = checkpoint.size;
    this.emit(connection, [
      encodeCheckpoint({ from, to: checkpoint.size, signature: checkpoint.signature, gap }).slice(),
    ]);
  }

  // ---- frames

  /** Sends an epoch's links and stills of one socket, in one frame or several; for the first there was room. */
  private deliver(connection: Connection, epoch: CommittedEpoch, due: readonly Due[]): void {
    const sorted =
      due.length === 1 ? due : [...due].sort((a, b) => positionOf(epoch, a) - positionOf(epoch, b));
    for (let next = 0; next < sorted.length; ) {
      if (next > 0 && !this.hasRoom(connection)) {
        for (const { subscription } of sorted.slice(next)) this.fallBehind(subscription);
        break;
      }
      const { out } = this;
      out.reset();
      putDeliverHead(out, this.proof(connection, epoch.logIndex), epoch.part);
      const countAt = out.length;
      out.u16(0);
      const positions: number[] = [];
      let count = 0;
      for (
        ;
        next < sorted.length && (count === 0 || out.length < FRAME_TARGET) && count < 0xffff;
        next++, count++
      ) {
        this.putMailbox(epoch, sorted[next]!, positions);
      }
      out.patchU16(countAt, count);
      const proof = multiproof(epoch.tree, positions);
      out.u32(proof.length / 32).bytes(proof);
      this.emit(connection, [out.done().slice()]);
    }
    for (const { subscription } of sorted) this.acknowledgeWanted(subscription);
  }

  private acknowledgeWanted(subscription: Subscription): void {
    const { wanted, sentEpoch, mailbox } = subscription;
    if (wanted === 0 || sentEpoch < wanted) return;
    subscription.wanted = 0;
    this.options.acknowledge(mailbox, wanted);
  }

  private proof(connection: Connection, logIndex: number): LogProof {
    const nodes = logNodes(this.options.reader);
    const from = connection.logSize;
    if (logIndex >= from) {
      connection.logSize = logIndex + 1;
      const { signature } = this.checkpoint;
      return { mode: LOG_MODE.extend, logIndex, from, signature, gap: gapHashes(nodes, from, logIndex) };
    }
    return { mode: LOG_MODE.under, logIndex, size: from, path: logPath(nodes, logIndex, from) };
  }

  private putMailbox(epoch: CommittedEpoch, due: Due, positions: number[]): void {
    const { out } = this;
    const { subscription, link, still } = due;
    const position = positionOf(epoch, due);
    out.u16(subscription.slot).u32(position);
    if (still) {
      positions.push(position);
      out.u8(MAILBOX_KIND.still).u64(still.trimmedThrough);
      return;
    }
    const { links } = epoch;
    const rows = links.rowCount(link);
    out.u8(MAILBOX_KIND.link).u32(rows);
    for (let part = 0; part < linkParts(rows); part++) positions.push(position + part);
    for (let x = links.firstRow(link), end = x + rows; x < end; x++) {
      const row = links.row(x);
      if (isSent(row)) {
        putSentEntry(out, row.inbox, row.index, row.detail, links.bytes, row.hashAt);
      } else {
        const body = BodyPacker.read(epoch.bodies, row.detail);
        this.cursor.jump(epoch.bodies, body.from, body.to);
        putReceivedEntry(
          out,
          row.inbox,
          row.index,
          epoch.bodies,
          row.detail,
          body.counter,
          this.cursor,
          this.treeOf(epoch, row.detail),
          row.position,
        );
      }
    }
    subscription.sentEpoch = links.epoch;
  }

  /** Of the bundle under the cursor, which is packed at `offset`. */
  private treeOf(epoch: CommittedEpoch, offset: number): RecipientTree | null {
    if (this.treesOf !== epoch) {
      this.treesOf = epoch;
      this.trees.clear();
    }
    const known = this.trees.get(offset);
    if (known) return known;
    const tree = RecipientTree.of(this.cursor);
    if (tree) this.trees.set(offset, tree);
    return tree;
  }

  /** Every frame must be a buffer of its own: its memory goes along. */
  private emit(connection: Connection, frames: readonly Uint8Array[]): void {
    for (const frame of frames) {
      connection.inFlight += frame.length;
      this.inFlight += frame.length;
    }
    this.send(address('gateway'), { type: 'frames', connection: connection.number, frames });
  }
}
