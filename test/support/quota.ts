/** A server in arrays whose mailboxes fill. */
import * as assert from 'uvu/assert';
import { Links } from '../../src/actors/epoch-file.js';
import { MailboxDirectory } from '../../src/actors/mailbox-directory.js';
import { address } from '../../src/actors/messages.js';
import type { Outbox } from '../../src/actors/outbox.js';
import { epochKey, TABLE, type Table } from '../../src/actors/store-keys.js';
import {
  decodeDeliver,
  encodeAck,
  FRAME,
  getU64,
  MAILBOX_KIND,
  SESSION_KIND,
} from '../../src/protocol/index.js';
import * as twin from '../twin/index.js';
import { named, worldOf } from '../worlds.js';
import { chainAfter } from './chain-after.js';
import { Pipeline, type PipelineOptions } from './pipeline.js';
import { clusterOf } from './side-by-side.js';
import { MemoryStore } from './store.js';

export const MANY = 2 ** 31;

/** Counts what is read, by table. */
class CountingStore extends MemoryStore {
  reads: Record<string, number> = {};

  private count(key: Uint8Array): void {
    const table = String.fromCharCode(key[0]!);
    this.reads[table] = (this.reads[table] ?? 0) + 1;
  }

  override get(key: Uint8Array): Uint8Array | undefined {
    this.count(key);
    return super.get(key);
  }

  override view(key: Uint8Array): Uint8Array | undefined {
    this.count(key);
    return super.view(key);
  }
}

/** One inbox, and one outbox where nothing else is said; every client has a mailbox. Sockets are numbered as their clients. */
export class Server {
  readonly store = new CountingStore();
  readonly pipeline: Pipeline;
  private readonly world;
  private readonly counters: number[];
  private directory = new MailboxDirectory(this.store);

  constructor(mailboxes: number, options: Partial<PipelineOptions>, outboxes = 1) {
    const shape = { inboxes: 1, outboxes, mailboxes, bundles: [], asked: [], moved: [] };
    this.world = worldOf(shape);
    this.counters = this.world.clients.map(() => 0);
    const given = { checkInputs: false, flushEpochs: 4, store: this.store, ...options };
    this.pipeline = new Pipeline(clusterOf(this.world), given);
    this.world.clients.forEach((_, i) => {
      this.open(i, 0, SESSION_KIND.front);
    });
  }

  id(i: number): Buffer {
    return this.world.clients[i]!.id;
  }

  /** The outbox that keeps a client's mailbox; of another socket's number, the first. */
  outboxOf(i: number): number {
    const client = this.world.clients[i];
    return client ? this.world.placement(client.id).outbox : 0;
  }

  private to(i: number) {
    return address('outbox', this.outboxOf(i));
  }

  get lastEpoch(): number {
    return this.pipeline.log().lastEpoch;
  }

  /** As after a crash: what was put off never happens. */
  restart(): void {
    this.pipeline.restart();
    this.pipeline.steps = MANY;
    this.directory = new MailboxDirectory(this.store);
  }

  /** Returns what the session is answered with, if it is answered by now. */
  open(i: number, acknowledged = 0, kind: 1 | 2 = SESSION_KIND.outbox) {
    const session = { kind, acknowledged, logSize: 0, seed: named(`seed ${i}`) };
    const where = { connection: i, slot: 0, mailbox: this.id(i) };
    this.pipeline.tell(this.to(i), { type: 'open-mailbox', ...where, ...session });
    return this.pipeline.takeGateway('mailbox-opened').at(-1);
  }

  leave(i: number): void {
    this.pipeline.tell(this.to(i), { type: 'disconnected', connection: i });
  }

  /** One epoch with a message from one to some. */
  epoch(from: number, to: readonly number[], bytes = 10): number {
    return this.together([from], to, bytes);
  }

  /** One epoch with a message from each of some to the same. */
  together(senders: readonly number[], to: readonly number[], bytes = 10): number {
    this.begin(senders, to, bytes);
    this.pipeline.commit();
    return this.lastEpoch;
  }

  /** The same, up to where it is to be committed. */
  begin(senders: readonly number[], to: readonly number[], bytes = 10): void {
    const recipients = to
      .map((i) => ({
        mailbox: this.id(i),
        blinder: named('blinder').subarray(0, 16),
        envelope: Buffer.alloc(0),
      }))
      .sort((a, b) => Buffer.compare(a.mailbox, b.mailbox));
    const frames = senders.map((from) => {
      const message = { sender: this.id(from), counter: 0n, recipients, body: Buffer.alloc(bytes) };
      this.counters[from]!++;
      return this.pipeline.frame(this.id(from), this.counters[from]!, [twin.bundleBytes(message)]);
    });
    this.pipeline.tell(address('inbox'), { type: 'submit', frames });
    this.pipeline.close();
  }

  /** An epoch without a message. */
  pass(epochs: number): void {
    for (let i = 0; i < epochs; i++) {
      this.pipeline.close();
      this.pipeline.commit();
    }
  }

  acknowledge(i: number, epoch: number): void {
    const frame = encodeAck([{ slot: 0, epoch }]);
    this.pipeline.tell(this.to(i), { type: 'ack', connection: i, frame });
  }

  /** What was sent to one socket; what others were sent stays. */
  takeFrames(socket: number) {
    const taken = this.pipeline.takeGateway('frames');
    this.pipeline.gateway.push(...taken.filter(({ connection }) => connection !== socket));
    return taken.filter(({ connection }) => connection === socket);
  }

  /** Reads all there is to read; returns the epochs that came. */
  take(i: number): number[] {
    const epochs: number[] = [];
    for (;;) {
      const frames = this.takeFrames(i).flatMap((message) => message.frames);
      if (frames.length === 0) return epochs;
      const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
      for (const frame of frames.filter((each) => each[0] === FRAME.deliver)) {
        const { epoch, mailboxes } = decodeDeliver(frame);
        if (mailboxes[0]!.kind === MAILBOX_KIND.link) epochs.push(epoch.epoch);
      }
      this.pipeline.tell(this.to(i), { type: 'drained', connection: i, bytes });
    }
  }

  /** What request handlers refuse by now: r = to receive, s = to send. */
  full(): string {
    for (const message of this.pipeline.takeGateway('mailboxes-full')) this.directory.changed(message);
    return this.counters
      .map((_, i) => {
        const { directory } = this;
        return (
          (directory.isFull(this.id(i), 0) ? 'r' : '') + (directory.mustNotSend(this.id(i), 0) ? 's' : '')
        );
      })
      .join('.');
  }

  state(i: number) {
    return this.pipeline.stage<Outbox>('outbox', this.outboxOf(i))['mailboxes'].lend(this.id(i), 0)!;
  }

  epochsIn(table: Table): number[] {
    return [...this.store.keys(epochKey(table, 0, 0), epochKey(table, 2 ** 50, 0))].map((key) =>
      getU64(key, 1),
    );
  }

  /** Everything unacknowledged is there; nobody counts more or less than the chains say. */
  audit(): void {
    const outbox = this.pipeline.stage<Outbox>('outbox', 0);
    const references = outbox['unacknowledged']['epochs'];
    const seen = this.counters.map(() => ({ links: 0, own: 0, bytes: 0 }));
    for (const epoch of this.epochsIn(TABLE.links)) {
      const links = Links.read(this.store.get(epochKey(TABLE.links, epoch, 0))!);
      let [count, own] = [0, 0];
      let received = false;
      this.counters.forEach((_, i) => {
        const at = links.find(this.id(i).toString('latin1'));
        if (at < 0 || epoch <= this.state(i).acknowledged.lastEpoch) return;
        count++;
        if (links.isOwn(at)) own++;
        else received = true;
        const { links: all, own: alone, bytes } = chainAfter(links, at);
        const { acknowledged } = this.state(i);
        seen[i] = {
          links: all - acknowledged.links,
          own: alone - acknowledged.own,
          bytes: bytes - acknowledged.bytes,
        };
      });
      const { mailboxes = 0, own: counted = 0 } = references.get(epoch) ?? {};
      assert.equal([mailboxes, counted], [count, own], `references of epoch ${epoch}`);
      const bodies = this.store.get(epochKey(TABLE.bodies, epoch, 0));
      assert.ok(!received || bodies, `bodies of epoch ${epoch}`);
    }
    this.counters.forEach((_, i) => {
      const { chain, acknowledged } = this.state(i);
      const left = { links: chain.links - acknowledged.links, own: chain.own - acknowledged.own };
      assert.equal({ ...left, bytes: chain.bytes - acknowledged.bytes }, seen[i], `weight of ${i}`);
    });
  }
}

/** A backlog of so many epochs for mailbox 1. */
export function behind(
  links: number,
  options: Partial<PipelineOptions> = {},
): { server: Server; epochs: number[] } {
  const server = new Server(2, options);
  server.open(0);
  const epochs: number[] = [];
  for (let i = 0; i < links; i++) {
    epochs.push(server.epoch(0, [1]));
    server.acknowledge(0, epochs.at(-1)!);
  }
  server.take(0);
  return { server, epochs };
}
