/** The mailboxes that one process reads: while the load lasts those that are online, afterwards the rest, some at a time. */
import { Bodies, intendedIn, numberIn, senderIn } from './bodies.js';
import { now, pause } from './clock.js';
import { Delivered, type DeliveredColumns } from './columns.js';
import { Latencies } from './latencies.js';
import type { Clients, Receiver } from './system.js';
import type { Workload } from './workload.js';

/** Mailboxes that are read at a time afterwards. */
const BATCH = 1024;
/** What has not come when so long nothing came is lost. */
const STALLED_MS = 5000;
/** Time for what comes twice, when all has come. */
const SETTLE_MS = 100;

export interface ReceivingResults {
  readonly delivered: DeliveredColumns;
  readonly altered: number;
}

export class Receiving {
  /** Since they were last looked at. */
  readonly latencies = new Latencies();
  private readonly delivered = new Delivered();
  private readonly bodies: Bodies;
  private receivers: Receiver[] = [];
  private altered = 0;

  constructor(
    workload: Workload,
    private readonly clients: Clients,
    private readonly failed: (error: Error) => void,
  ) {
    this.bodies = new Bodies(workload);
  }

  get count(): number {
    return this.delivered.count + this.altered;
  }

  /** One socket for each list. */
  async read(lists: readonly (readonly number[])[]): Promise<void> {
    for (const mailboxes of lists) {
      const receiver = await this.clients.openReceiver(mailboxes, {
        delivered: (mailbox, body, place) => this.onDelivered(mailbox, body, place),
        failed: this.failed,
      });
      this.receivers.push(receiver);
    }
  }

  private onDelivered(mailbox: number, body: Uint8Array, place: number): void {
    const time = now();
    if (!this.bodies.isWhole(body)) {
      this.altered++;
      return;
    }
    this.delivered.add(senderIn(body), numberIn(body), mailbox, place, time);
    this.latencies.record(time - intendedIn(body));
  }

  /** Resolves when so many deliveries have come in all, or no more come. */
  async expect(count: number): Promise<void> {
    for (let last = this.count, since = now(); this.count < count; await pause(5)) {
      if (last !== this.count) [last, since] = [this.count, now()];
      else if (now() - since > STALLED_MS) return;
    }
    await pause(SETTLE_MS);
  }

  /** Mailboxes that nobody reads yet, with what is in each. */
  async readRest(mailboxes: readonly number[], expected: readonly number[]): Promise<void> {
    await this.closeReceivers();
    for (let from = 0; from < mailboxes.length; from += BATCH) {
      const due = expected.slice(from, from + BATCH).reduce((sum, each) => sum + each, 0);
      const before = this.count;
      await this.read([mailboxes.slice(from, from + BATCH)]);
      await this.expect(before + due);
      await this.closeReceivers();
    }
  }

  results(): ReceivingResults {
    return { delivered: this.delivered.columns(), altered: this.altered };
  }

  async closeReceivers(): Promise<void> {
    for (const receiver of this.receivers) await receiver.close();
    this.receivers = [];
  }
}
