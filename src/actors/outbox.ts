/**
 * Outbox: keeps mailboxes, links what came to their chains, delivers, proves.
 *
 * In:  receiver-items (its receiver); committed, persisted (sequencer); open-mailbox,
 *      register-mailboxes, ack, ask-still, drained, disconnected (request handlers)
 * Out: attested, persist, work (sequencer); mailbox-opened, mailboxes-registered, mailboxes-full,
 *      displaced, frames (request handlers)
 * Owns: per mailbox its chain and what is acknowledged; per epoch who has not acknowledged it yet.
 *
 * 1. A link is kept state: deleting acknowledged mail never changes what is signed.
 * 2. Leaves are sorted by (mailbox, part); a still never stands beside a link.
 * 3. Nothing of an epoch leaves before it is committed (deliverer.ts sends it then).
 * 4. Bodies are deleted in the same transaction that makes their acknowledgment durable.
 * Never: decides about order, drops a message that its owner has not acknowledged.
 */

import {
  type BundleLimits,
  type Checkpoint,
  decodeAck,
  type PublicKeyBook,
  ROLE,
  SESSION_KIND,
} from '../protocol/index.js';
import { Acknowledgments } from './acknowledgments.js';
import { attest, checking, type SignerOptions } from './attest.js';
import { Deliverer } from './deliverer.js';
import { idAt } from './ids.js';
import { stillRecords } from './kept-stills.js';
import { groupByMailbox, linkEpoch, withoutLink } from './link-epoch.js';
import { mailboxRecord } from './mailbox-state.js';
import { MailboxTable } from './mailbox-table.js';
import type { Memory } from './memory.js';
import {
  type Acknowledge,
  type ActorMessage,
  address,
  type Committed,
  type OpenMailbox,
  type ReceiverItems,
  type RegisterMailboxes,
  type Send,
  type Stage,
  type StoreReader,
  type StoreRecord,
} from './messages.js';
import { checkBodies, checkReceiver } from './outbox-check.js';
import { recoverMailboxes } from './outbox-recovery.js';
import type { Placements } from './placements.js';
import { type QuotaLimits, Quotas } from './quotas.js';
import type { SignedEpoch } from './signed-epoch.js';
import type { FlushOptions } from './state-table.js';
import { epochKey, flushMarkKey, numberValue, TABLE } from './store-keys.js';
import { Unacknowledged } from './unacknowledged.js';
import { waymarks } from './waymarks.js';

export interface OutboxOptions extends SignerOptions, FlushOptions {
  readonly memory: Memory;
  readonly limits: BundleLimits;
  readonly keys: PublicKeyBook;
  readonly reader: StoreReader;
  /** Newest committed epoch; 0 = none. */
  readonly lastEpoch: number;
  readonly bytesInFlight: number;
  readonly bytesInFlightInAll: number;
  /** The newest at start. */
  readonly checkpoint: Checkpoint;
  readonly placements: Placements;
  /** Which outbox keeps a mailbox: 32 bytes. */
  readonly receiverOf: (mailbox: Uint8Array) => number;
  readonly checkInputs: boolean;
  readonly quota: QuotaLimits;
  readonly retentionEpochs: number;
  /** Runs a step after what waits for this thread has had its turn. */
  readonly later: (step: () => void) => void;
}

/** Acknowledged bodies are deleted, with a flush, as soon as they are this much. */
const FLUSH_BODY_BYTES = 32 << 20;
/** Mailboxes made in one write: each may touch a page of the store of its own (`FLUSH_CHANGED`). */
const NEW_PER_WRITE = 2048;
/** Of so many epochs one at the most is made for stills alone. */
const STILL_EPOCHS = 4;

export class Outbox implements Stage {
  private readonly mailboxes: MailboxTable;
  private readonly unacknowledged: Unacknowledged;
  private readonly quotas: Quotas;
  private readonly acknowledgments: Acknowledgments;
  private readonly deliverer: Deliverer;
  private readonly asked = new Set<string>();
  /** Mailboxes that are being made or have a long acknowledgment under way, and what is to be done then. */
  private readonly opening = new Map<string, (() => void)[]>();
  private readonly persisting = new Map<number, () => void>();
  private nextPersist = 1;
  private signed: SignedEpoch | null = null;
  /** The next epoch, come before this outbox was told that the last one is committed: by another way than that. */
  private early: ReceiverItems | null = null;
  private lastFlush: number;
  /** Another step has been asked for. */
  private goingOn = false;
  /** Committed epoch at which a still last asked for an epoch of its own. */
  private lastStillWork = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly options: OutboxOptions,
    private readonly send: Send,
  ) {
    const { reader, index } = options;
    this.mailboxes = new MailboxTable(reader);
    this.unacknowledged = new Unacknowledged(reader, index, options.placements.since);
    this.quotas = new Quotas(options.quota, options.retentionEpochs, index);
    this.lastFlush = recoverMailboxes(
      options,
      this.mailboxes,
      this.unacknowledged,
      this.quotas,
      flushMarkKey('outbox', index),
    );
    this.deliverer = new Deliverer(
      {
        ...options,
        stateOf: (id) => this.mailboxes.lendTo(id)!,
        acknowledge: ({ mailbox, connection, slot }, epoch) => {
          if (this.acknowledgeThrough(mailbox, epoch) === 'unknown')
            this.refuseAck(connection.number, slot, epoch);
        },
        pending: () => this.signed?.links ?? null,
        goOnLater: () => this.goOnLater(),
      },
      send,
    );
    this.acknowledgments = new Acknowledgments({
      ...options,
      mailboxes: this.mailboxes,
      unacknowledged: this.unacknowledged,
      quotas: this.quotas,
      linksOf: (epoch, mailbox) => this.deliverer.linksOf(epoch, mailbox),
      linksIn: (epoch) => this.deliverer.linksIn(epoch),
      committedEpoch: () => this.deliverer.committedEpoch,
      isRead: (id) => this.deliverer.isOpen(id),
      reached: (id) => this.runWaiting(id),
    });
    this.tellFull();
  }

  handle(message: ActorMessage): void {
    this.take(message);
    this.tellFull();
  }

  private take(message: ActorMessage): void {
    switch (message.type) {
      case 'receiver-items':
        return this.append(message);
      case 'committed':
        return this.committed(message);
      case 'open-mailbox':
        return this.open(message);
      case 'register-mailboxes':
        return this.register(message);
      case 'persisted':
        return this.persisted(message.id);
      case 'ack':
        return this.acknowledge(message);
      case 'ask-still':
        return this.askStill(message.connection, message.slot);
      case 'drained':
        return this.deliverer.drained(message.connection, message.bytes);
      case 'disconnected':
        return this.deliverer.disconnected(message.connection);
      case 'finish':
        return this.send(address('gateway'), { type: 'finished' });
      default:
        throw new Error(`outbox does not take '${message.type}'`);
    }
  }

  // ---- epochs

  private append(message: ReceiverItems): void {
    const { options, mailboxes, quotas } = this;
    const { epoch } = message.context;
    if (this.signed) {
      this.early = message;
      return;
    }
    if (options.checkInputs) checkReceiver(message, options);
    const groups = groupByMailbox(message.items);
    const asked = withoutLink(this.asked, message.items, groups);
    this.asked.clear();
    const { signed, output } = checking(`receiver ${options.index}`, () =>
      linkEpoch(message, groups, asked, mailboxes, options.memory, quotas),
    );
    if (options.checkInputs) checkBodies(signed, message.batches, options);
    const told = this.deliverer.checkpoint;
    const attestation = attest(options, ROLE.outbox, message.context, [message.attestation], [output], told);
    this.signed = signed;
    this.unacknowledged.add(epoch, signed.links.mailboxes, signed.links.ownLinks, signed.bodies.length);
    const from = address('outbox', options.index);
    const records = this.records(epoch);
    this.send(address('sequencer'), { type: 'attested', from, epoch, attestation, records });
    this.goOnLater();
  }

  private records(epoch: number): StoreRecord[] {
    const { index, flushEpochs, flushChanged } = this.options;
    const { links, bodies, stills } = this.signed!;
    const records = stillRecords(epoch, index, stills, (id) => this.mailboxes.lendTo(id)!.chain);
    records.push(...this.unacknowledged.shared());
    if (links.mailboxes > 0) {
      records.push({ key: epochKey(TABLE.links, epoch, index), value: links.bytes });
      if (bodies.length > 0) records.push({ key: epochKey(TABLE.bodies, epoch, index), value: bodies });
      records.push(...waymarks(links));
    }
    const due =
      epoch - this.lastFlush >= flushEpochs ||
      this.mailboxes.changed >= flushChanged ||
      this.unacknowledged.freeableBytes >= FLUSH_BODY_BYTES;
    if (due && this.mailboxes.changed > 0) {
      this.lastFlush = epoch;
      const mark = { key: flushMarkKey('outbox', index), value: numberValue(epoch) };
      const states = [this.mailboxes, this.unacknowledged, this.acknowledgments, this.quotas];
      return records.concat(...states.map((each) => each.flush()), mark);
    }
    return records;
  }

  private committed(message: Committed): void {
    const { signed } = this;
    if (!signed || signed.links.epoch !== message.epoch)
      throw new Error(`outbox: epoch ${message.epoch} committed, not signed`);
    this.signed = null;
    this.mailboxes.flushed();
    this.unacknowledged.flushed();
    this.deliverer.committed(message, signed);
    this.acknowledgments.letGo(message.epoch);
    const { early } = this;
    this.early = null;
    if (early) this.append(early);
  }

  private tellFull(): void {
    const message = this.quotas.tell();
    if (message) this.send(address('gateway'), message);
  }

  /** Behind all others' turn deliveries are made ready, and long acknowledgments and those who are behind get on a step. */
  private goOnLater(): void {
    if (this.goingOn) return;
    this.goingOn = true;
    this.options.later(() => {
      this.goingOn = false;
      if (this.signed) this.deliverer.makeReady(this.signed);
      this.acknowledgments.goOn();
      if (this.acknowledgments.pending) this.goOnLater();
      this.deliverer.pumpSome();
      this.tellFull();
    });
  }

  // ---- sessions

  private open(message: OpenMailbox): void {
    const id = idAt(message.mailbox, 0);
    const answer = () => this.answerOpen(id, message);
    if (this.opening.has(id) || this.acknowledgments.isGoing(id)) this.waitFor(id, answer);
    else if (this.mailboxes.lend(message.mailbox, 0)) answer();
    else if (message.seed) {
      this.waitFor(id, answer);
      this.persist([id], [mailboxRecord(message.mailbox, message.seed)]);
    } else this.refuseOpen(message, 'mailbox-not-registered');
  }

  /** Makes the mailboxes that are not there yet; answers when all are durable. */
  private register({ id, mailboxes, seeds }: RegisterMailboxes): void {
    let left = 1;
    const done = () => {
      if (--left === 0) this.send(address('gateway'), { type: 'mailboxes-registered', id });
    };
    const ids: string[] = [];
    const records: StoreRecord[] = [];
    for (let at = 0; at < mailboxes.length; at += 32) {
      const mailbox = idAt(mailboxes, at);
      const waiting = this.opening.get(mailbox);
      if (!waiting && this.mailboxes.has(mailbox)) continue;
      left++;
      if (waiting) waiting.push(done);
      else {
        this.opening.set(mailbox, [done]);
        ids.push(mailbox);
        records.push(mailboxRecord(mailboxes.subarray(at, at + 32), seeds.subarray(at, at + 32)));
      }
    }
    if (ids.length > 0) this.persist(ids, records);
    done();
  }

  /** So many in a write; the next ones when these are durable. */
  private persist(ids: readonly string[], records: readonly StoreRecord[]): void {
    const id = this.nextPersist++;
    this.persisting.set(id, () => {
      for (const each of ids.slice(0, NEW_PER_WRITE)) this.runWaiting(each);
      if (ids.length > NEW_PER_WRITE) this.persist(ids.slice(NEW_PER_WRITE), records.slice(NEW_PER_WRITE));
    });
    const from = address('outbox', this.options.index);
    const first = records.slice(0, NEW_PER_WRITE);
    this.send(address('sequencer'), { type: 'persist', from, id, records: first });
  }

  private persisted(id: number): void {
    const done = this.persisting.get(id)!;
    this.persisting.delete(id);
    done();
  }

  private waitFor(id: string, run: () => void): void {
    const waiting = this.opening.get(id);
    if (waiting) waiting.push(run);
    else this.opening.set(id, [run]);
  }

  private runWaiting(id: string): void {
    const waiting = this.opening.get(id) ?? [];
    this.opening.delete(id);
    for (const run of waiting) run();
  }

  private refuseOpen(
    { connection, slot, kind }: OpenMailbox,
    error: 'mailbox-not-registered' | 'ack-unknown-epoch',
  ): void {
    const nothing = { outbox: this.options.index, lastEpoch: 0, total: 0, head: new Uint8Array(32) };
    this.send(address('gateway'), { type: 'mailbox-opened', connection, slot, kind, error, ...nothing });
  }

  private answerOpen(id: string, message: OpenMailbox): void {
    const { connection, slot, kind, acknowledged, logSize } = message;
    const { lastEpoch: before } = this.mailboxes.lendTo(id)!.acknowledged;
    if (kind === SESSION_KIND.outbox && acknowledged > before) {
      const done = this.acknowledgeThrough(id, acknowledged);
      if (done === 'unknown') return this.refuseOpen(message, 'ack-unknown-epoch');
      if (done === 'later') {
        // An older session may be behind what goes now, and must not read it any more.
        this.deliverer.displace(id);
        return this.waitFor(id, () => this.answerOpen(id, message));
      }
    }
    const { lastEpoch, total, head } = this.mailboxes.lendTo(id)!.acknowledged;
    this.send(address('gateway'), {
      type: 'mailbox-opened',
      connection,
      slot,
      kind,
      outbox: this.options.index,
      error: null,
      lastEpoch,
      total,
      // It was lent.
      head: Uint8Array.from(head),
    });
    if (kind === SESSION_KIND.outbox) this.deliverer.subscribe(id, connection, slot, lastEpoch, logSize);
  }

  /** Asking makes an epoch at once, unless that was so a moment ago: then the next one that comes answers. */
  private askStill(connection: number, slot: number): void {
    const subscription = this.deliverer.subscriptionAt(connection, slot);
    if (!subscription) return;
    this.asked.add(subscription.mailbox);
    const epoch = this.deliverer.committedEpoch;
    if (epoch - this.lastStillWork < STILL_EPOCHS) return;
    this.lastStillWork = epoch;
    this.send(address('sequencer'), { type: 'work' });
  }

  private acknowledge({ connection, frame }: Acknowledge): void {
    const refused = new Map<number, number>();
    for (const { slot, epoch } of decodeAck(frame)) {
      const subscription = this.deliverer.subscriptionAt(connection, slot);
      // To find no link costs a look at a whole epoch: once per slot and frame.
      if (!subscription || refused.has(slot)) continue;
      if (!this.deliverer.mayAcknowledge(subscription, epoch)) continue;
      const { mailbox, sentLink } = subscription;
      if (this.acknowledgeThrough(mailbox, epoch, sentLink) === 'unknown') refused.set(slot, epoch);
    }
    // One answer a frame, however many acknowledgments in it make no sense.
    for (const [slot, epoch] of refused) return this.refuseAck(connection, slot, epoch);
  }

  private refuseAck(connection: number, slot: number, epoch: number): void {
    this.send(address('gateway'), { type: 'ack-refused', connection, slot, epoch });
  }

  private acknowledgeThrough(id: string, epoch: number, near = 0): 'done' | 'later' | 'unknown' {
    const done = this.acknowledgments.through(id, epoch, near);
    if (done === 'later') this.goOnLater();
    return done;
  }
}
