/**
 * NATS JetStream: one stream in a file store, a subject per mailbox.
 *
 * A message is published once per recipient, and acknowledged when the stream has answered each (PubAck). So a message with
 * several recipients has a place for each of them, not one; they can be told apart in the stream's order, but not which
 * belong together, and it can reach some of them only: no order over mailboxes is promised. A sender's acknowledgments come
 * in the order of its publishes, to one subject: a subject of its own for each, as client libraries have it, makes the
 * server miss its cache of subscriptions every time.
 *
 * Receivers: an ordered push consumer (no acknowledgments, flow control, gaps are failures) of the socket's mailboxes. Server
 * 2.9 knows one filter per consumer, so mailboxes that share a socket share a part of their subject: `m.<group>.<mailbox>`.
 * The client remembers where it is in the stream. A stream for each socket instead of one for all was not faster.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../src/cli/demo/server-process.js';
import { NatsConnection, type Transport } from '../nats-connection.js';
import { noEqual, notInstalled, promisesOf, startPeer, versionOf } from '../peer-process.js';
import type { Clients, Receiver, ReceiverEvents, Sender, SenderEvents, System } from '../system.js';
import type { Workload } from '../workload.js';

const SERVER = 'nats-server';
const STREAM = 'MAIL';
const ANSWERS = '_ANSWERS';
const MIB = 2 ** 20;
const EMPTY = Buffer.alloc(0);
/** A PubAck is `{"stream":"MAIL", "seq":7}`, a refusal `{"error":…`. */
const PUB_ACK = Buffer.from(`{"stream":"${STREAM}", "seq":`);
const HEARTBEAT_NS = 30e9;

/** One subject and one sequence of numbers per process: no two inboxes are alike. */
let inboxes = 0;
const newInbox = () => `${ANSWERS}.${process.pid}.${++inboxes}`;

class JetStreamSender implements Sender {
  private readonly inbox = newInbox();
  /** By publishes without an answer: the message, where it was the last for it. */
  private readonly underWay: ({ readonly number: number; readonly recipients: number } | null)[] = [];
  private last = 0;
  private connection!: NatsConnection;

  private constructor(
    private readonly groups: number,
    private readonly events: SenderEvents,
  ) {}

  static async open(
    transport: Transport,
    port: number,
    groups: number,
    events: SenderEvents,
  ): Promise<Sender> {
    const sender = new JetStreamSender(groups, events);
    sender.connection = await NatsConnection.open(transport, port, {
      message: (_, headers, body) => sender.answered(headers, body),
      failed: (error) => events.failed(error),
    });
    sender.connection.subscribe(sender.inbox, 1);
    return sender;
  }

  send(number: number, to: readonly number[], body: Uint8Array): void {
    for (const [i, mailbox] of to.entries()) {
      this.connection.publish(`m.${mailbox % this.groups}.${mailbox}`, this.inbox, body);
      this.underWay.push(i === to.length - 1 ? { number, recipients: to.length } : null);
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private answered(headers: Buffer, body: Buffer): void {
    const sequence = headers.length === 0 ? sequenceOf(body) : 0;
    // Not rising: an answer to another publish than the oldest.
    if (sequence <= this.last) return this.events.failed(new Error(`nats: ${headers}${body}`));
    this.last = sequence;
    const last = this.underWay.shift();
    if (last) this.events.acknowledged(last.number, last.recipients === 1 ? sequence : 0);
  }
}

function sequenceOf(body: Buffer): number {
  const { length } = PUB_ACK;
  if (body.compare(PUB_ACK, 0, length, 0, length) !== 0) return 0;
  let sequence = 0;
  for (let i = length; body[i]! >= 48 && body[i]! <= 57; i++) sequence = sequence * 10 + body[i]! - 48;
  return sequence;
}

/** Where a consumer is: of one group, on the socket of a receiver. */
interface Cursor {
  readonly mailboxes: Set<number>;
  consumed: number;
  /** Sequence number in the stream. */
  last: number;
}

class JetStreamReceiver implements Receiver {
  private readonly inbox = newInbox();
  private readonly cursors = new Map<number, Cursor>();
  private connection!: NatsConnection;

  private constructor(
    private readonly positions: Map<number, number>,
    private readonly events: ReceiverEvents,
  ) {}

  static async open(
    transport: Transport,
    port: number,
    groups: number,
    mailboxes: readonly number[],
    positions: Map<number, number>,
    events: ReceiverEvents,
  ): Promise<Receiver> {
    const receiver = new JetStreamReceiver(positions, events);
    receiver.group(mailboxes, groups);
    receiver.connection = await NatsConnection.open(transport, port, {
      message: (line, headers, body) => receiver.message(line, headers, body),
      failed: (error) => events.failed(error),
    });
    receiver.connection.subscribe(receiver.inbox, 1);
    for (const [group, cursor] of receiver.cursors) receiver.consume(group, cursor);
    return receiver;
  }

  async close(): Promise<void> {
    await this.connection.close();
    for (const { mailboxes, last } of this.cursors.values())
      for (const mailbox of mailboxes) this.positions.set(mailbox, Math.max(last, this.position(mailbox)));
  }

  private position(mailbox: number): number {
    return this.positions.get(mailbox) ?? 0;
  }

  private group(mailboxes: readonly number[], groups: number): void {
    for (const mailbox of mailboxes) {
      const group = mailbox % groups;
      const cursor = this.cursors.get(group) ?? { mailboxes: new Set(), consumed: 0, last: Infinity };
      cursor.mailboxes.add(mailbox);
      cursor.last = Math.min(cursor.last, this.position(mailbox));
      this.cursors.set(group, cursor);
    }
  }

  /** The stream answers to the same inbox, before or among the first messages. */
  private consume(group: number, { last }: Cursor): void {
    const config = {
      deliver_subject: this.inbox,
      filter_subject: `m.${group}.*`,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: last + 1,
      ack_policy: 'none',
      max_deliver: 1,
      replay_policy: 'instant',
      flow_control: true,
      idle_heartbeat: HEARTBEAT_NS,
      mem_storage: true,
      num_replicas: 1,
    };
    const request = Buffer.from(JSON.stringify({ stream_name: STREAM, config }));
    this.connection.publish(`$JS.API.CONSUMER.CREATE.${STREAM}`, this.inbox, request);
  }

  private message(line: string, headers: Buffer, body: Buffer): void {
    const [, subject, , reply = ''] = line.split(' ') as [string, string, string, string?];
    if (headers.length > 0) return this.status(headers.toString(), reply);
    if (subject === this.inbox) return this.created(body.toString());
    // $JS.ACK.<stream>.<consumer>.<deliveries>.<place in the stream>.<place in the consumer>.<time>.<pending>
    const words = reply.split('.');
    const [place, consumed] = [Number(words[5]), Number(words[6])];
    const [, group, mailbox] = subject.split('.').map(Number) as [number, number, number];
    const cursor = this.cursors.get(group)!;
    if (consumed !== ++cursor.consumed) return this.events.failed(new Error(`nats: a gap before ${line}`));
    cursor.last = place;
    const isNew = cursor.mailboxes.has(mailbox) && place > this.position(mailbox);
    if (isNew) this.events.delivered(mailbox, body, place);
  }

  private created(answer: string): void {
    if ('error' in JSON.parse(answer)) this.events.failed(new Error(`nats: ${answer}`));
  }

  /** Flow control has to be answered, also where only a heartbeat tells that it waits. */
  private status(headers: string, reply: string): void {
    const stalled = /Nats-Consumer-Stalled: (\S+)/.exec(headers)?.[1];
    if (headers.startsWith('NATS/1.0 100')) {
      const to = stalled ?? reply;
      if (to.startsWith('$JS.FC.')) this.connection.publish(to, '', EMPTY);
    } else this.events.failed(new Error(`nats: ${headers}`));
  }
}

/** Resolves when there is the stream; the same again where it is already. */
async function makeStream(port: number): Promise<void> {
  const config = {
    name: STREAM,
    subjects: ['m.*.*'],
    storage: 'file',
    retention: 'limits',
    discard: 'old',
    max_msgs: -1,
    max_bytes: -1,
    max_age: 0,
    num_replicas: 1,
  };
  let connection: NatsConnection | undefined;
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      const message = (_: string, headers: Buffer, body: Buffer) => resolve(`${headers}${body}`);
      NatsConnection.open('tcp', port, { message, failed: reject }).then((opened) => {
        connection = opened;
        const inbox = newInbox();
        connection.subscribe(inbox, 1);
        connection.publish(`$JS.API.STREAM.CREATE.${STREAM}`, inbox, Buffer.from(JSON.stringify(config)));
      }, reject);
    });
    if (!answer.startsWith('{') || 'error' in JSON.parse(answer)) throw new Error(`nats: ${answer}`);
  } finally {
    await connection?.close();
  }
}

type Sync = 'default' | 'always';

const DURABLE: Readonly<Record<Sync, string>> = {
  default: 'in the page cache; fsynced every two minutes',
  always: 'fsynced per message',
};

const configuration = (ports: Ports, directory: string, sync: Sync, { bodyBytes }: Workload) => `
host: 127.0.0.1
port: ${ports.tcp}
max_payload: ${Math.max(MIB, bodyBytes)}
max_pending: ${64 * MIB + bodyBytes}
jetstream {
  store_dir: "${directory}"
  max_file_store: 1TB${sync === 'always' ? '\n  sync_interval: always' : ''}
}
websocket { host: 127.0.0.1, port: ${ports.ws}, no_tls: true, compression: false }
`;

type Ports = Readonly<Record<Transport, number>>;

function cannotSync(sync: Sync): string | null {
  const version = versionOf(SERVER) ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const canSync = sync === 'default' || major > 2 || (major === 2 && minor >= 10);
  return canSync
    ? null
    : `nats-server ${version} cannot sync before it answers: sync_interval came with 2.10`;
}

function nats(name: string, transport: Transport, sync: Sync): System {
  return {
    name,
    promises: (workload) => promisesOf(false, DURABLE[sync], workload),
    missing: async (workload) => notInstalled(SERVER) ?? cannotSync(sync) ?? noEqual(workload),
    async start(workload, directory) {
      const ports = { tcp: await freePort(), ws: await freePort() };
      const file = join(directory, 'nats.conf');
      writeFileSync(file, configuration(ports, directory, sync, workload));
      const { pid, stop } = await startPeer(SERVER, ['-c', file], () => makeStream(ports.tcp));
      const version = versionOf(SERVER)!;
      return { address: { port: ports[transport] }, version, pids: [pid], stages: async () => null, stop };
    },
    connect: async (address, workload) => clients(transport, Number(address['port']), workload.receivers),
  };
}

function clients(transport: Transport, port: number, groups: number): Clients {
  const positions = new Map<number, number>();
  return {
    async register() {},
    openSender: (_, events) => JetStreamSender.open(transport, port, groups, events),
    openReceiver: (mailboxes, events) =>
      JetStreamReceiver.open(transport, port, groups, mailboxes, positions, events),
    async close() {},
  };
}

export const NATS: readonly System[] = [
  nats('nats-ws', 'ws', 'default'),
  nats('nats-tcp', 'tcp', 'default'),
  nats('nats-ws-always', 'ws', 'always'),
  nats('nats-tcp-always', 'tcp', 'always'),
];
