/**
 * Deliverer: the outbox's half that faces clients. Sends each committed epoch to who is up to date, and
 * from the store to who is behind. A socket that does not take its bytes gets no more until it does.
 */
import { type Checkpoint, encodeEndOfBacklog } from '../protocol/index.js';
import { Backlog, type Group } from './backlog.js';
import { type CommittedEpoch, CommittedEpochs } from './committed-epochs.js';
import type { Links } from './epoch-file.js';
import { FrameSender, type FrameSenderOptions } from './frame-sender.js';
import { IdMap } from './id-table.js';
import { idBytes } from './ids.js';
import { type MailboxState, unacknowledged } from './mailbox-state.js';
import { address, type Committed, type Send } from './messages.js';
import { SocketBytes } from './outstanding.js';
import type { Placements } from './placements.js';
import type { SignedEpoch, Still } from './signed-epoch.js';
import {
  type Connection,
  type Due,
  type Ready,
  type Subscription,
  sortByLeaf,
  stillDue,
} from './subscription.js';
import { walkFrom } from './waymarks.js';

export interface DelivererOptions extends FrameSenderOptions {
  readonly index: number;
  readonly lastEpoch: number;
  readonly placements: Placements;
  /** Where a mailbox's chain stands, uncommitted epoch included. */
  readonly stateOf: (mailbox: string) => MailboxState;
  /** Takes an acknowledgment that came before its epoch was sent on this socket, or refuses it. */
  readonly acknowledge: (subscription: Subscription, epoch: number) => void;
  /** Links of the epoch that is not committed yet. */
  readonly pending: () => Links | null;
  /** Asks for another step, after what waits for this thread has had its turn: `pumpSome`. */
  readonly goOnLater: () => void;
}

/** What one step may read for all who are behind: old epochs, and their bytes; and one of them before the next has a turn. */
const EPOCHS_PER_STEP = 64;
const BYTES_PER_STEP = 2 << 20;
const EPOCHS_PER_TURN = 8;

export class Deliverer {
  private readonly connections = new Map<number, Connection>();
  private readonly subscriptions = new IdMap<Subscription>();
  private readonly epochs: CommittedEpochs;
  private readonly sender: FrameSender;
  /**
   * Those who are behind and have room, whose turn is next first. Who is behind and not among them has
   * bytes outstanding, and comes back when its socket has taken them.
   */
  private readonly waiting = new Set<Connection>();
  /** The epoch that is being written, once sockets have made ready for it, and those that it has something for. */
  private ready: SignedEpoch | null = null;
  private readonly due = new Set<Connection>();
  /** What is left of this step's epochs and bytes. */
  private budget = { epochs: 0, bytes: 0 };
  committedEpoch: number;

  constructor(
    private readonly options: DelivererOptions,
    private readonly send: Send,
  ) {
    this.epochs = new CommittedEpochs(options.reader, options.memory, options.index, options.placements);
    this.sender = new FrameSender(options, () => this.connections.size, send);
    this.committedEpoch = options.lastEpoch;
  }

  /** The newest that it was told. */
  get checkpoint(): Checkpoint {
    return this.sender.checkpoint;
  }

  // ---- sessions

  /** Opens a mailbox on a socket; an older socket that has it is told, and loses it. */
  subscribe(mailbox: string, number: number, slot: number, acknowledged: number, logSize: number): void {
    this.displace(mailbox);
    let connection = this.connections.get(number);
    if (!connection) {
      const bytes = new SocketBytes();
      connection = { number, slots: [], backlog: new Backlog(), bytes, logSize, due: [], ready: [] };
      this.connections.set(number, connection);
    }
    const sent = { sentEpoch: acknowledged, sentLink: 0 };
    const subscription = { mailbox, slot, connection, ...sent, wanted: 0, live: false, listed: 0 };
    connection.slots[slot] = subscription;
    this.subscriptions.set(idBytes(mailbox), subscription);
    connection.backlog.add(subscription);
    this.pump(connection);
  }

  displace(mailbox: string): void {
    const older = this.subscriptions.get(mailbox);
    if (!older) return;
    this.forget(older);
    this.send(address('gateway'), {
      type: 'displaced',
      connection: older.connection.number,
      slot: older.slot,
    });
  }

  private forget(subscription: Subscription): void {
    const { mailbox, slot, connection } = subscription;
    this.unready(connection);
    connection.slots[slot] = undefined;
    connection.backlog.delete(subscription);
    this.subscriptions.delete(mailbox);
  }

  disconnected(number: number): void {
    const connection = this.connections.get(number);
    if (!connection) return;
    for (const subscription of connection.slots) if (subscription) this.forget(subscription);
    this.connections.delete(number);
    this.waiting.delete(connection);
    this.sender.close(connection);
  }

  drained(number: number, bytes: number): void {
    const connection = this.connections.get(number);
    if (!connection) return;
    this.sender.drained(connection, bytes);
    this.pump(connection);
  }

  isOpen(mailbox: string): boolean {
    return this.subscriptions.get(mailbox) !== undefined;
  }

  /** Of an open mailbox. */
  subscriptionAt(number: number, slot: number): Subscription | undefined {
    return this.connections.get(number)?.slots[slot];
  }

  /**
   * Whether a mailbox's owner may acknowledge through `epoch` now: what this session has not been sent
   * yet must stay, or its bodies would be deleted before they are. Then it is remembered for later.
   */
  mayAcknowledge(subscription: Subscription, epoch: number): boolean {
    // Who is up to date has been sent everything there is.
    if (subscription.live || epoch <= subscription.sentEpoch || epoch > this.committedEpoch) return true;
    subscription.wanted = Math.max(subscription.wanted, epoch);
    return false;
  }

  /** The links that a mailbox's are among, of a committed epoch or of the one that is being committed. */
  linksOf(epoch: number, mailbox: string): Links | null {
    return this.linksAt(epoch, this.epochs.outboxIn(epoch, mailbox));
  }

  private linksAt(epoch: number, outbox: number): Links | null {
    const pending = this.options.pending();
    return pending?.epoch === epoch ? pending : this.epochs.links(epoch, outbox);
  }

  /** All links of a committed epoch that any of this outbox's mailboxes are among. Each holds until the next read. */
  *linksIn(epoch: number): Iterable<Links> {
    for (const outbox of this.epochs.outboxesIn(epoch)) {
      const links = this.epochs.links(epoch, outbox);
      if (links) yield links;
    }
  }

  // ---- an epoch is written, and committed

  /** Makes ready what an epoch that is being written has for those who are up to date: all but the heads of its frames. */
  makeReady(signed: SignedEpoch): void {
    if (this.ready) return;
    this.ready = signed;
    const { links, stills } = signed;
    for (let i = 0; i < links.mailboxes; i++)
      this.addDue(this.subscriptions.at(links.bytes, links.headerAt(i)), i, null);
    for (const [mailbox, still] of stills) this.addDue(this.subscriptions.get(mailbox), -1, still);
    for (const connection of this.due) {
      // Links are in order; stills were put behind them.
      if (stills.size > 0) sortByLeaf(signed, connection.due);
      connection.ready = this.sender.ready(connection, signed, connection.due);
    }
  }

  private addDue(subscription: Subscription | undefined, link: number, still: Still | null): void {
    if (!subscription?.live) return;
    subscription.connection.due.push({ subscription, link, still });
    this.due.add(subscription.connection);
  }

  /** Who is open on a socket, or up to date, is not who was. */
  private unready(connection: Connection): void {
    this.sender.drop(connection, connection.ready);
    connection.ready = [];
  }

  /** Who has caught up while an epoch is written is to have it with all others. */
  private join(subscription: Subscription): void {
    if (!this.ready) return;
    const { links, stills } = this.ready;
    const link = links.find(subscription.mailbox);
    const still = stills.get(subscription.mailbox) ?? null;
    if (link < 0 && !still) return;
    this.unready(subscription.connection);
    this.addDue(subscription, link, still);
  }

  committed(message: Committed, signed: SignedEpoch): void {
    this.committedEpoch = message.epoch;
    this.sender.checkpoint = message.checkpoint;
    const epoch = this.epochs.add(message.epoch, message.logged!, signed);
    this.makeReady(signed);
    for (const connection of this.due) {
      const { ready } = connection;
      const due = ready.length > 0 ? connection.due : stillDue(signed, connection);
      connection.due = [];
      connection.ready = [];
      for (const { subscription } of this.deliver(connection, epoch, due, ready))
        this.fallBehind(subscription);
    }
    this.due.clear();
    this.ready = null;
    this.sender.forget();
  }

  private fallBehind(subscription: Subscription): void {
    subscription.live = false;
    subscription.connection.backlog.add(subscription);
  }

  // ---- who is behind

  /** However many sockets have room at once, there is one step for all of them. */
  private pump(connection: Connection): void {
    if (connection.backlog.size === 0) return;
    this.waiting.add(connection);
    this.options.goOnLater();
  }

  /**
   * Goes on with those who are behind, in turns and so much per step: reading an old epoch costs as much as
   * making it. What is left goes on in a step of its own.
   */
  pumpSome(): void {
    this.budget = { epochs: EPOCHS_PER_STEP, bytes: BYTES_PER_STEP };
    for (const connection of this.waiting) {
      if (!this.hasBudget) break;
      this.waiting.delete(connection);
      this.pumpTurn(connection);
      if (connection.backlog.size > 0 && this.sender.hasRoom(connection)) this.waiting.add(connection);
    }
    if (this.waiting.size > 0) this.options.goOnLater();
  }

  private get hasBudget(): boolean {
    return this.budget.epochs > 0 && this.budget.bytes > 0;
  }

  /** Goes on with the backlog of one socket for a while. */
  private pumpTurn(connection: Connection): void {
    const { backlog } = connection;
    for (let i = 0; i < EPOCHS_PER_TURN && backlog.size > 0; i++) {
      if (!this.hasBudget || !this.sender.hasRoom(connection)) return;
      this.budget.epochs--;
      const step = backlog.next();
      if (step.type === 'look') this.look(step.subscription);
      else if (step.type === 'walk') this.walk(backlog, step);
      else this.sendOld(connection, step);
    }
  }

  /** Where a subscription's walk back begins, if it is to be sent anything. */
  private look(subscription: Subscription): void {
    const { mailbox, sentEpoch, connection } = subscription;
    const state = this.options.stateOf(mailbox);
    const { links, own } = unacknowledged(state);
    const from = walkFrom(this.options.reader, mailbox, sentEpoch, state.chain.lastEpoch, links + own);
    if (from > sentEpoch) connection.backlog.walkTo(from, subscription);
    else this.caughtUp(subscription);
  }

  /** Lists an epoch for those who have links in it, who go on to their links before these. */
  private walk(backlog: Backlog, { epoch, subscriptions }: Group): void {
    const done: Subscription[] = [];
    for (const [outbox, some] of this.byOutbox(epoch, subscriptions)) {
      const links = this.linksAt(epoch, outbox);
      if (!links) throw new Error(`epoch ${epoch} of a mailbox is missing in the store`);
      this.budget.bytes -= links.bytes.length;
      for (const subscription of some) {
        if (epoch <= this.committedEpoch) backlog.list(epoch, subscription);
        const before = links.previousEpoch(links.find(subscription.mailbox));
        if (before > subscription.sentEpoch) backlog.walkTo(before, subscription);
        else if (subscription.listed === 0) done.push(subscription);
      }
    }
    // Not before: these links hold until the next read, and an acknowledgment that has waited may read others.
    for (const subscription of done) this.caughtUp(subscription);
  }

  /** Sends an old epoch to those who are to have it. */
  private sendOld(connection: Connection, { epoch, subscriptions }: Group): void {
    const { backlog } = connection;
    for (const [outbox, some] of this.byOutbox(epoch, subscriptions)) {
      const committed = this.epochs.get(epoch, outbox);
      this.budget.bytes -= committed.links.bytes.length + committed.bodies.length;
      // One checkpoint for everything that was there when it was sent.
      if (committed.logIndex >= connection.logSize) this.sender.bringCheckpoint(connection);
      const linkOf = ({ mailbox }: Subscription) => committed.links.find(mailbox);
      const due = some.map((subscription) => ({ subscription, link: linkOf(subscription), still: null }));
      sortByLeaf(committed, due);
      const left = this.deliver(connection, committed, due);
      for (const { subscription } of left) backlog.list(epoch, subscription);
      for (const subscription of some) backlog.sent(subscription);
    }
  }

  /** By the outbox that they were at in this epoch. */
  private byOutbox(epoch: number, subscriptions: readonly Subscription[]): Map<number, Subscription[]> {
    const groups = new Map<number, Subscription[]>();
    for (const subscription of subscriptions) {
      const outbox = this.epochs.outboxIn(epoch, subscription.mailbox);
      const group = groups.get(outbox);
      if (group) group.push(subscription);
      else groups.set(outbox, [subscription]);
    }
    return groups;
  }

  private caughtUp(subscription: Subscription): void {
    subscription.live = true;
    this.join(subscription);
    this.acknowledgeWanted(subscription);
    subscription.connection.backlog.delete(subscription);
    this.sender.bringCheckpoint(subscription.connection);
    const end = encodeEndOfBacklog({ slot: subscription.slot, epoch: this.committedEpoch });
    this.sender.emit(subscription.connection, end);
  }

  /** Sends what an epoch has for a socket, as far as there is room, if it is not ready already. Returns what there was no room for. */
  private deliver(
    connection: Connection,
    epoch: CommittedEpoch,
    due: readonly Due[],
    ready: readonly Ready[] = [],
  ): readonly Due[] {
    const { sender } = this;
    const made = ready.length > 0 ? ready : sender.ready(connection, epoch, due);
    sender.deliver(connection, epoch, made);
    const end = made.at(-1)?.next ?? 0;
    for (let i = 0; i < end; i++) {
      const { subscription, link, still } = due[i]!;
      if (!still) {
        subscription.sentEpoch = epoch.links.epoch;
        subscription.sentLink = link;
      }
      if (subscription.sentEpoch >= subscription.wanted) this.acknowledgeWanted(subscription);
    }
    return due.slice(end);
  }

  private acknowledgeWanted(subscription: Subscription): void {
    const { wanted } = subscription;
    subscription.wanted = 0;
    if (wanted > 0) this.options.acknowledge(subscription, wanted);
  }
}
