/**
 * Whether an adapter of the bench keeps what bench/system.ts says, by driving it as the harness does: a server, clients apart
 * from each other, some thousand messages with several recipients. For tests: `await checkSystem(system, emptyDirectory)`.
 *
 * 1. Receivers of the even mailboxes are opened, the others are registered and their messages wait: everything acknowledged
 *    once, everything delivered once, in order, unaltered, at one place.
 * 2. All are opened again: what was delivered before stays away, what waited comes, then what is new.
 * 3. The server's processes are killed under load and a server is started on the same data, by `start` with the same
 *    directory: everything acknowledged comes; what had been delivered may come again, once, at its place.
 *
 * So `stop` of a server that has been killed resolves, and `Receiver.close` resolves when what was delivered is acknowledged.
 */
import * as assert from 'node:assert/strict';
import type { Clients, Receiver, RunningSystem, Sender, System } from '../../bench/system.js';
import { HEADER_BYTES, loadWorkload, type Workload } from '../../bench/workload.js';

/** In each of two lives of the server: others after the kill, as a sender does not know then what was taken in. */
const SENDERS = 4;
const MAILBOXES = 40;
const RECIPIENTS = 3;
/** Mailboxes on one socket. */
const PER_RECEIVER = 5;
/** Messages of a sender in one turn of the event loop. */
const BATCH = 50;

const SMALL = [
  `senders=${2 * SENDERS}`,
  `mailboxes=${MAILBOXES}`,
  `receivers=${MAILBOXES / PER_RECEIVER}`,
  `recipients=${RECIPIENTS}`,
];

export interface CheckOptions {
  /** As for `loadWorkload`, on top of a small workload. */
  readonly settings?: readonly string[];
  /** Of each sender in each of five turns: fewer for what is slow. */
  readonly messages?: number;
  /** How long anything may take. */
  readonly patienceMs?: number;
  /** False: not the third, because it may forget what it acknowledged when it is killed, and says so. */
  readonly kill?: boolean;
}

/** Throws when the system does anything else. */
export async function checkSystem(
  system: System,
  directory: string,
  { settings = [], messages = 600, patienceMs = 30_000, kill = true }: CheckOptions = {},
): Promise<void> {
  const workload = loadWorkload('throughput', [...SMALL, ...settings]);
  assert.equal(await system.missing(workload), null);
  const history = new History(system.promises(workload).totalOrder, workload.bodyBytes, patienceMs);
  const first = await Life.start(system, workload, directory, history, 0);
  try {
    await ordinary(first, history, messages);
    if (kill) await first.sendUntilKilled(messages);
  } finally {
    await first.end();
  }
  if (kill) {
    const second = await Life.start(system, workload, directory, history, SENDERS);
    try {
      await afterwards(second, history, messages);
    } finally {
      await second.end();
    }
  }
  history.check();
}

/** Phases 1 and 2. */
async function ordinary(life: Life, history: History, messages: number): Promise<void> {
  const even = everyMailbox.filter((mailbox) => mailbox % 2 === 0);
  await life.clients.register(everyMailbox.filter((mailbox) => mailbox % 2 === 1));
  const receivers = await life.receive(even);
  await life.send(messages);
  await history.until('what is open to be delivered', () => history.missing(even));
  for (const receiver of receivers) await receiver.close();
  await life.receive(everyMailbox);
  await history.until('what waited', () => history.missing(everyMailbox));
  await life.send(messages);
  await history.until('what is new', () => history.missing(everyMailbox));
}

async function afterwards(life: Life, history: History, messages: number): Promise<void> {
  history.restarted();
  await life.receive(everyMailbox);
  await history.until('what was acknowledged before the kill', () => history.missing(everyMailbox));
  await life.send(messages);
  await history.until('what is sent after the kill', () => history.missing(everyMailbox));
}

const everyMailbox = Array.from({ length: MAILBOXES }, (_, i) => i);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A server from start to end, and its clients. Receivers' clients are others than the senders', as in the harness. */
class Life {
  private dead = false;
  /** So many messages acknowledged, and it is killed. */
  private killAt = Number.POSITIVE_INFINITY;

  private constructor(
    private readonly running: RunningSystem,
    readonly clients: Clients,
    private readonly readers: Clients,
    private readonly senders: ReadonlyMap<number, Sender>,
    private readonly history: History,
  ) {}

  static async start(
    system: System,
    workload: Workload,
    directory: string,
    history: History,
    firstSender: number,
  ): Promise<Life> {
    const running = await system.start(workload, directory);
    try {
      const clients = await system.connect(running.address, workload);
      const readers = await system.connect(running.address, workload);
      const life = { current: null as Life | null };
      const failed = (error: Error) => life.current?.failed(error);
      const senders = new Map<number, Sender>();
      for (let sender = firstSender; sender < firstSender + SENDERS; sender++) {
        const acknowledged = (number: number, place: number) => {
          history.acknowledge(sender, number, place);
          life.current?.killIfDue();
        };
        senders.set(sender, await clients.openSender(sender, { acknowledged, failed }));
      }
      life.current = new Life(running, clients, readers, senders, history);
      return life.current;
    } catch (error) {
      await running.stop();
      throw error;
    }
  }

  /** With the server gone, clients may say so. */
  private failed(error: Error): void {
    if (!this.dead) this.history.complain(`a client failed: ${error.message}`);
  }

  async receive(mailboxes: readonly number[]): Promise<Receiver[]> {
    const receivers: Receiver[] = [];
    this.history.reopened(mailboxes);
    for (let i = 0; i < mailboxes.length; i += PER_RECEIVER) {
      const own = mailboxes.slice(i, i + PER_RECEIVER);
      const delivered = (mailbox: number, body: Uint8Array, place: number) => {
        if (!own.includes(mailbox)) this.history.complain(`mailbox ${mailbox} on a socket of ${own}`);
        this.history.deliver(mailbox, body, place);
      };
      const failed = (error: Error) => this.failed(error);
      receivers.push(await this.readers.openReceiver(own, { delivered, failed }));
    }
    return receivers;
  }

  /** Every sender sends so many, a batch in a turn of the event loop. */
  private async submit(messages: number): Promise<void> {
    for (let sent = 0; sent < messages && !this.dead; sent += BATCH) {
      for (const [i, sender] of this.senders) {
        for (let k = 0; k < BATCH; k++) {
          const { number, to, body } = this.history.next(i);
          sender.send(number, to, body);
        }
      }
      await pause(1);
    }
  }

  async send(messages: number): Promise<void> {
    await this.submit(messages);
    await this.history.until('acknowledgments', () => this.history.unacknowledged());
  }

  /** Kills the server where half of it is acknowledged. */
  async sendUntilKilled(messages: number): Promise<void> {
    this.killAt = this.history.acknowledged + (messages * SENDERS) / 2;
    await this.submit(messages);
    await this.history.until('the kill', () => (this.dead ? 0 : 1));
  }

  private killIfDue(): void {
    if (this.dead || this.history.acknowledged < this.killAt) return;
    this.dead = true;
    for (const pid of this.running.pids) process.kill(pid, 'SIGKILL');
  }

  async end(): Promise<void> {
    this.dead = true;
    for (const clients of [this.clients, this.readers]) await clients.close();
    await this.running.stop();
  }
}

interface Message {
  readonly sender: number;
  readonly number: number;
  readonly to: readonly number[];
  readonly body: Uint8Array;
  acknowledged: boolean;
  /** 0 until somebody has said it. */
  place: number;
}

/** What one mailbox got: places by message, and the newest place since it was opened. */
interface Inbox {
  readonly places: Map<Message, number>;
  last: number;
  /** Messages that may come again: of before a kill. */
  again: Set<Message>;
}

/** What was sent, said and seen; complains at once about what is wrong with it. */
export class History {
  acknowledged = 0;
  private readonly sent: Message[][] = Array.from({ length: 2 * SENDERS }, () => []);
  private readonly inboxes: Inbox[] = everyMailbox.map(() => ({
    places: new Map(),
    last: 0,
    again: new Set(),
  }));
  private readonly complaints: string[] = [];
  private seed = 1;
  /** These were under way when the server was killed, and need not have lasted. */
  private readonly aborted = new Set<Message>();

  constructor(
    private readonly totalOrder: boolean,
    private readonly bodyBytes: number,
    private readonly patienceMs: number,
  ) {}

  /** `missing` counts what is. Nobody waits on once something was wrong. */
  async until(what: string, missing: () => number): Promise<void> {
    const deadline = performance.now() + this.patienceMs;
    while (missing() > 0) {
      this.assertGood();
      assert.ok(performance.now() < deadline, `waited for ${what}: ${missing()} are missing`);
      await pause(5);
    }
  }

  complain(text: string): void {
    this.complaints.push(text);
  }

  private assertGood(): void {
    const { length } = this.complaints;
    assert.equal(length, 0, `${length} complaints:\n${this.complaints.slice(0, 20).join('\n')}`);
  }

  next(sender: number): Message {
    const number = this.sent[sender]!.length;
    const to = new Set<number>();
    while (to.size < RECIPIENTS) to.add(this.random() % MAILBOXES);
    const body = Uint8Array.from({ length: this.bodyBytes }, () => this.random());
    const header = new DataView(body.buffer, 0, HEADER_BYTES);
    header.setUint32(0, sender);
    header.setUint32(4, number);
    const message = { sender, number, to: [...to], body, acknowledged: false, place: 0 };
    this.sent[sender]!.push(message);
    return message;
  }

  /** xorshift32: the same messages in every run. */
  private random(): number {
    this.seed ^= this.seed << 13;
    this.seed ^= this.seed >>> 17;
    this.seed ^= this.seed << 5;
    return this.seed >>> 0;
  }

  acknowledge(sender: number, number: number, place: number): void {
    const message = this.sent[sender]?.[number];
    if (!message) return this.complain(`acknowledged, never sent: ${sender}/${number}`);
    if (message.acknowledged) this.complain(`acknowledged twice: ${sender}/${number}`);
    message.acknowledged = true;
    this.acknowledged++;
    if (place !== 0) this.locate(message, place, 'its sender');
  }

  deliver(mailbox: number, body: Uint8Array, place: number): void {
    const header = new DataView(body.buffer, body.byteOffset);
    const [sender, number] = [header.getUint32(0), header.getUint32(4)];
    const message = this.sent[sender]?.[number];
    const name = `${sender}/${number} in mailbox ${mailbox}`;
    if (!message?.to.includes(mailbox)) return this.complain(`never sent: ${name}`);
    if (Buffer.compare(body, message.body) !== 0) this.complain(`altered: ${name}`);
    const inbox = this.inboxes[mailbox]!;
    const before = inbox.places.get(message);
    if (before !== undefined && !inbox.again.delete(message)) this.complain(`delivered twice: ${name}`);
    if (before !== undefined && before !== place) this.complain(`${name}: at ${before}, then at ${place}`);
    if (place <= inbox.last) this.complain(`${name}: at ${place}, after ${inbox.last}`);
    inbox.last = place;
    inbox.places.set(message, place);
    if (this.totalOrder) this.locate(message, place, `mailbox ${mailbox}`);
  }

  private locate(message: Message, place: number, who: string): void {
    const { sender, number } = message;
    if (message.place !== 0 && message.place !== place)
      this.complain(`${sender}/${number}: ${who} has it at ${place}, others at ${message.place}`);
    message.place = place;
  }

  unacknowledged(): number {
    return this.sent.flat().filter((each) => !each.acknowledged && !this.aborted.has(each)).length;
  }

  /** Acknowledged messages that these mailboxes have not got. */
  missing(mailboxes: readonly number[]): number {
    const wanted = this.sent.flat().filter(({ acknowledged }) => acknowledged);
    let count = 0;
    for (const mailbox of mailboxes) {
      const { places } = this.inboxes[mailbox]!;
      count += wanted.filter((each) => each.to.includes(mailbox) && !places.has(each)).length;
    }
    return count;
  }

  /** The newest place stays: what comes now is newer. */
  reopened(mailboxes: readonly number[]): void {
    for (const mailbox of mailboxes) {
      const inbox = this.inboxes[mailbox]!;
      if (inbox.again.size > 0) inbox.last = 0;
    }
  }

  restarted(): void {
    for (const each of this.sent.flat()) if (!each.acknowledged) this.aborted.add(each);
    for (const inbox of this.inboxes) inbox.again = new Set(inbox.places.keys());
  }

  /** Throws when anything was wrong. */
  check(): void {
    for (const [mailbox, { places }] of this.inboxes.entries()) this.checkSenders(mailbox, places);
    if (this.totalOrder) this.checkWhole();
    this.assertGood();
  }

  /** In the order of places, each sender's numbers rise. */
  private checkSenders(mailbox: number, places: ReadonlyMap<Message, number>): void {
    const last = new Array<number>(2 * SENDERS).fill(-1);
    for (const [{ sender, number }] of [...places].sort(([, a], [, b]) => a - b)) {
      if (number <= last[sender]!)
        this.complain(`${sender}/${number} in mailbox ${mailbox} after a later one`);
      last[sender] = number;
    }
  }

  /** A message with a place has been delivered to all of its recipients, and no place holds two messages. */
  private checkWhole(): void {
    const taken = new Set<number>();
    for (const { sender, number, place, to } of this.sent.flat().filter((each) => each.place > 0)) {
      if (taken.has(place)) this.complain(`${sender}/${number}: ${place} is another's place too`);
      taken.add(place);
      const got = to.filter((mailbox) =>
        this.inboxes[mailbox]!.places.has(this.sent[sender]![number]!),
      ).length;
      if (got < to.length) this.complain(`${sender}/${number}: ${got} of ${to.length} recipients got it`);
    }
  }
}
