/**
 * Deliverer: the outbox's half that faces clients. Sends each committed epoch to who is up to date,
 * and from the store, epoch by epoch, to who is behind. A socket that does not take its bytes gets no
 * more until it does; its mail waits on disk and nobody else notices.
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
  /** Where a mailbox's chain ends, uncommitted epoch included. */
  readonly chainOf: (mailbox: string) => ChainState;
  /** Links of the epoch that is not committed yet. */
  readonly pending: () => Links | null;
}

/** One mailbox on one socket. */
interface Subscription {
  readonly mailbox: string;
  readonly slot: number;
  readonly connection: Connection;
  /** Epoch of the last link sent, or acknowledged before. */
  sentEpoch: number;
  /** Everything committed has been sent; the next epoch comes at once. */
  live: boolean;
  /** Epochs still to send, newest first; made when the subscription falls behind. */
  backlog: number[];
}

interface Connection {
  readonly number: number;
  readonly slots: Map<number, Subscription>;
  readonly behind: Set<Subscription>;
  inFlight: number;
  /** Size of the newest checkpoint the client has. */
  logSize: number;
  /** What the epoch just committed has for it. */
  due: Due[];
}

/** A mailbox's link (its index) or still in an epoch. */
interface Due {
  readonly subscription: Subscription;
  readonly link: number;
  readonly still: Still | null;
}

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
    const subscription = { mailbox, slot, connection, sentEpoch: acknowledged, live: false, backlog: [] };
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
  }

  drained(number: number, bytes: number): void {
    const connection = this.connections.get(number);
    if (!connection) return;
    connection.inFlight -= bytes;
    this.pump(connection);
  }

  mailboxAt(number: number, slot: number): string | undefined {
    return this.connections.get(number)?.slots.get(slot)?.mailbox;
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
    for (const connection of this.connections.values()) this.pump(connection);
    this.trees.clear();
  }

  private collectDue(epoch: CommittedEpoch): Set<Connection> {
    const due = new Set<Connection>();
    const add = (mailbox: string, link: number, still: Still | null) => {
      const subscription = this.subscriptions.get(mailbox);
      if (!subscription?.live) return;
      const { connection } = subscription;
      if (connection.inFlight >= this.options.bytesInFlight) {
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

  private pump(connection: Connection): void {
    for (const subscription of connection.behind) {
      while (connection.inFlight < this.options.bytesInFlight) {
        const epoch = this.nextEpoch(subscription);
        if (epoch === undefined) {
          this.caughtUp(subscription);
          break;
        }
        this.bringCheckpoint(connection);
        const committed = this.epochs.get(epoch);
        this.deliver(connection, committed, [
          { subscription, link: committed.links.find(subscription.mailbox), still: null },
        ]);
      }
      if (connection.inFlight >= this.options.bytesInFlight) return;
    }
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

  /** Sends an epoch's links and stills of one socket, in one frame or, when they are many, in several. */
  private deliver(connection: Connection, epoch: CommittedEpoch, due: readonly Due[]): void {
    const sorted =
      due.length === 1 ? due : [...due].sort((a, b) => positionOf(epoch, a) - positionOf(epoch, b));
    const frames: Uint8Array[] = [];
    for (let next = 0; next < sorted.length; ) {
      const { out } = this;
      out.reset();
      putDeliverHead(out, epoch.logIndex, this.proof(connection, epoch.logIndex), epoch.part);
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
      frames.push(out.done().slice());
    }
    this.emit(connection, frames);
  }

  private proof(connection: Connection, logIndex: number): LogProof {
    const nodes = logNodes(this.options.reader);
    const from = connection.logSize;
    if (logIndex >= from) {
      connection.logSize = logIndex + 1;
      return {
        mode: LOG_MODE.extend,
        from,
        signature: this.checkpoint.signature,
        gap: gapHashes(nodes, from, logIndex),
      };
    }
    return { mode: LOG_MODE.under, size: from, path: logPath(nodes, logIndex, from) };
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
    for (const frame of frames) connection.inFlight += frame.length;
    this.send(address('gateway'), { type: 'frames', connection: connection.number, frames });
  }
}

function positionOf(epoch: CommittedEpoch, { link, still }: Due): number {
  return still ? still.position : epoch.links.position(link);
}
