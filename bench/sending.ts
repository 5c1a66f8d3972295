/**
 * The senders of one process, and their load. Closed loop: every acknowledgment sends the next message. Open loop:
 * messages are sent when they are due, whatever has been answered, and how late they were is recorded.
 */
import { Alarm } from './alarm.js';
import { arrivalsOf } from './arrivals.js';
import { Bodies } from './bodies.js';
import { type Choose, choiceOf } from './choice.js';
import { now, pause } from './clock.js';
import { Sent, type SentColumns } from './columns.js';
import { Latencies } from './latencies.js';
import type { Clients, Sender } from './system.js';
import type { Workload } from './workload.js';

/** Open loop: messages that a sender may have under way; what is due beyond is not sent, and counted. */
export const OPEN_WINDOW = 4096;
/** How often, at most, a process wakes up to send what is due. */
const TICK_MS = 0.5;
/** The load has stalled when so long nothing is acknowledged. */
const STALLED_MS = 15_000;

interface One {
  readonly number: number;
  readonly sent: Sent;
  readonly choose: Choose;
  handle: Sender;
  underWay: number;
}

export interface SendingResults {
  readonly senders: readonly SentColumns[];
  readonly lateness: Uint32Array;
  readonly unsent: number;
}

export class Sending {
  /** Since they were last looked at. */
  readonly latencies = new Latencies();
  sent = 0;
  acknowledged = 0;
  private readonly senders = new Map<number, One>();
  private readonly bodies: Bodies;
  private readonly lateness = new Latencies();
  private unsent = 0;
  private underWay = 0;
  /** Messages that each acknowledgment may still be followed by; infinite while the closed loop lasts. */
  private credit = 0;
  private alarm: Alarm | null = null;
  /** How late messages are in the warm-up is nobody's business. */
  private windowFrom = 0;
  private failure: Error | null = null;

  constructor(
    private readonly workload: Workload,
    private readonly failed: (error: Error) => void,
  ) {
    this.bodies = new Bodies(workload);
  }

  get isOpen(): boolean {
    return this.senders.size > 0;
  }

  async open(clients: Clients, numbers: readonly number[]): Promise<void> {
    const choice = choiceOf(this.workload);
    for (const number of numbers) {
      const sent = new Sent(number, this.workload.recipients);
      const one: One = { number, sent, choose: choice(number), handle: NO_SENDER, underWay: 0 };
      one.handle = await clients.openSender(number, {
        acknowledged: (message, place) => this.onAcknowledged(one, message, place),
        failed: (error) => this.fail(error),
      });
      this.senders.set(number, one);
    }
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.halt();
    this.failed(error);
  }

  private send(one: One, intended: number): void {
    const to = one.choose();
    const number = one.sent.add(intended, to);
    one.underWay++;
    this.underWay++;
    this.sent++;
    one.handle.send(number, to, this.bodies.make(one.number, number, intended));
  }

  private onAcknowledged(one: One, number: number, place: number): void {
    const time = now();
    if (!one.sent.acknowledge(number, place, time))
      return this.fail(
        new Error(`sender ${one.number}: message ${number} was acknowledged twice or never sent`),
      );
    one.underWay--;
    this.underWay--;
    this.acknowledged++;
    this.latencies.record(time - one.sent.intendedAt(number));
    if (this.credit <= 0) return;
    this.credit--;
    this.send(one, time);
  }

  /** So many messages as fast as the window allows, evenly over the senders; resolves when all are acknowledged. */
  async fill(count: number, window: number): Promise<void> {
    this.startClosed(window, count);
    await this.drained();
  }

  /** `start`: moment of the clock from which messages are due. */
  start(start: number): void {
    const { load } = this.workload;
    if (load.mode === 'open') this.startOpen(start);
    else setTimeout(() => this.startClosed(load.window, Number.POSITIVE_INFINITY), start - now());
  }

  private startClosed(window: number, count: number): void {
    const first = Math.min(count, window * this.senders.size);
    this.credit = count - first;
    const senders = [...this.senders.values()];
    for (let i = 0; i < first; i++) this.send(senders[i % senders.length]!, now());
  }

  private startOpen(start: number): void {
    const arrivals = arrivalsOf(this.workload, [...this.senders.keys()]);
    this.windowFrom = start + this.workload.warmupSeconds * 1000;
    const alarm = new Alarm(() => {
      for (let time = now(); start + arrivals.due <= time; arrivals.advance(), time = now())
        this.sendDue(arrivals.sender, start + arrivals.due, time);
      alarm.set(Math.max(start + arrivals.due, now() + TICK_MS));
    });
    this.alarm = alarm;
    alarm.set(start);
  }

  private sendDue(sender: number, due: number, time: number): void {
    const one = this.senders.get(sender)!;
    if (one.underWay >= OPEN_WINDOW) {
      this.unsent++;
      return;
    }
    if (due >= this.windowFrom) this.lateness.record(time - due);
    this.send(one, due);
  }

  /** Sends nothing new. */
  halt(): void {
    this.credit = 0;
    this.alarm?.stop();
  }

  /** Sends nothing new; resolves when all is acknowledged, or will not be. */
  async stop(): Promise<void> {
    this.halt();
    await this.drained();
  }

  private async drained(): Promise<void> {
    for (let last = this.acknowledged, since = now(); this.underWay > 0; await pause(5)) {
      if (this.failure) return;
      if (last !== this.acknowledged) [last, since] = [this.acknowledged, now()];
      else if (now() - since > STALLED_MS)
        return this.fail(new Error(`${this.underWay} messages were not acknowledged`));
    }
  }

  results(): SendingResults {
    const senders = [...this.senders.values()].map(({ sent }) => sent.columns());
    return { senders, lateness: this.lateness.counts, unsent: this.unsent };
  }

  async close(): Promise<void> {
    for (const { handle } of this.senders.values()) await handle.close();
  }
}

const NO_SENDER: Sender = {
  send() {
    throw new Error('the sender is not open');
  },
  async close() {},
};
