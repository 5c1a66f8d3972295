/**
 * Redis Streams: a stream per mailbox, the append-only file as the only store.
 *
 * `redis-always`, `redis-everysec`: a script raises one counter and appends to the stream of each recipient, with the number
 * as the entry's id. So there is ONE order of all messages, a message is in all of its mailboxes or in none, and a sender's
 * messages stay in order, as with countersign. A script takes the messages of several sends: that costs a third less of the
 * server's CPU than a call for each. Two of its calls are under way on a connection, of 128 deliveries each; what is sent
 * meanwhile goes with the next. With more the server reads faster than it writes (64 KiB to a client in a turn of its loop),
 * and deliveries fall ever further behind acknowledgments.
 * `redis-xadd-always`: XADD to each recipient's stream, with ids that Redis makes per stream: no order over mailboxes, and a
 * message with several recipients can reach some of them only.
 *
 * Receivers: XREAD BLOCK over all streams of the socket, from the last id that was read, 1,000 entries of each at most. The
 * client remembers these ids; nothing is acknowledged to the server and nothing is trimmed, because nothing here needs it
 * and it would be work. Nor is the append-only file rewritten during a run. A mailbox is made by its first message.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../src/cli/demo/server-process.js';
import { noEqual, notInstalled, promisesOf, startPeer, versionOf } from '../peer-process.js';
import { ask, encoded, RespConnection, type RespEvents } from '../resp.js';
import type { Clients, Receiver, ReceiverEvents, Sender, SenderEvents, System } from '../system.js';

const SERVER = 'redis-server';
/** KEYS: the counter, then every message's streams. ARGV: of every message how many streams, and the body. */
const NUMBER_AND_APPEND = `
local number = redis.call('INCRBY', KEYS[1], #ARGV / 2) - #ARGV / 2
local key = 1
for i = 1, #ARGV, 2 do
  number = number + 1
  local id, body = string.format('%.0f-0', number), ARGV[i + 1]
  for _ = 1, ARGV[i] do
    key = key + 1
    redis.call('XADD', KEYS[key], id, 'b', body)
  end
end
return number`;
const COUNTER = 'number';
const XADD = encoded('XADD');
const ANY_ID_AND_FIELD = encoded('*', 'b');
const CALLS_UNDER_WAY = 2;
const DELIVERIES_PER_CALL = 128;
const ENTRIES_PER_READ = 1000;
/** Ids that Redis makes are ms ‖ number within it; a place has 15 bits for the number and, counted from here, 38 for ms. */
const FIRST_MS = Date.UTC(2020);
const PER_MS = 2 ** 15;

const streamOf = (mailbox: number) => `m${mailbox}`;
const unexpected = (events: { failed(error: Error): void }): RespEvents => {
  const fail = () => events.failed(new Error('redis: a reply of another kind'));
  return { array: fail, integer: fail, bytes: fail, failed: (error) => events.failed(error) };
};

/** `7-0` is place 7 where ids are numbered by the script; 0 where Redis made it and it is too large for a place. */
function placeOf(id: string): number {
  const dash = id.indexOf('-');
  const [ms, number] = [Number(id.slice(0, dash)), Number(id.slice(dash + 1))];
  if (number === 0 && ms < FIRST_MS) return ms;
  return number < PER_MS ? (ms - FIRST_MS) * PER_MS + number : 0;
}

/** Arguments that come again and again. */
const streams: Buffer[] = [];
function streamArgument(mailbox: number): Buffer {
  streams[mailbox] ??= encoded(streamOf(mailbox));
  return streams[mailbox];
}

interface Message {
  readonly number: number;
  readonly to: readonly number[];
  readonly body: Uint8Array;
}

class NumberingSender implements Sender {
  private readonly waiting: Message[] = [];
  private readonly underWay: Message[][] = [];
  private isDue = false;
  private connection!: RespConnection;

  private constructor(
    private readonly script: string,
    private readonly events: SenderEvents,
  ) {}

  static async open(port: number, script: string, events: SenderEvents): Promise<Sender> {
    const sender = new NumberingSender(script, events);
    const integer = (last: number) => sender.answered(last);
    sender.connection = await RespConnection.open(port, { ...unexpected(events), integer });
    return sender;
  }

  send(number: number, to: readonly number[], body: Uint8Array): void {
    this.waiting.push({ number, to, body });
    this.due();
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private due(): void {
    if (this.isDue) return;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      while (this.waiting.length > 0 && this.underWay.length < CALLS_UNDER_WAY) this.call();
    });
  }

  private call(): void {
    const { connection } = this;
    let messages = 0;
    let streams = 0;
    while (messages < this.waiting.length && streams < DELIVERIES_PER_CALL)
      streams += this.waiting[messages++]!.to.length;
    const batch = this.waiting.splice(0, messages);
    connection.command(4 + streams + 2 * messages);
    connection.encoded(encoded('EVALSHA', this.script, 1 + streams, COUNTER));
    for (const { to } of batch) for (const mailbox of to) connection.encoded(streamArgument(mailbox));
    for (const { to, body } of batch) {
      connection.encoded(encoded(to.length));
      connection.bulk(body);
    }
    this.underWay.push(batch);
  }

  private answered(last: number): void {
    const batch = this.underWay.shift()!;
    let place = last - batch.length;
    for (const { number } of batch) this.events.acknowledged(number, ++place);
    this.due();
  }
}

class AppendingSender implements Sender {
  /** By what has been appended and not answered yet: the message, where it was the last for it. */
  private readonly underWay: ({ readonly number: number; readonly recipients: number } | null)[] = [];
  private connection!: RespConnection;

  private constructor(private readonly events: SenderEvents) {}

  static async open(port: number, events: SenderEvents): Promise<Sender> {
    const sender = new AppendingSender(events);
    const bytes = (id: Buffer) => sender.answered(id);
    sender.connection = await RespConnection.open(port, { ...unexpected(events), bytes });
    return sender;
  }

  send(number: number, to: readonly number[], body: Uint8Array): void {
    for (const [i, mailbox] of to.entries()) {
      this.connection.command(5);
      this.connection.encoded(XADD);
      this.connection.encoded(streamArgument(mailbox));
      this.connection.encoded(ANY_ID_AND_FIELD);
      this.connection.bulk(body);
      this.underWay.push(i === to.length - 1 ? { number, recipients: to.length } : null);
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private answered(id: Buffer): void {
    const last = this.underWay.shift();
    if (!last) return;
    const { number, recipients } = last;
    this.events.acknowledged(number, recipients === 1 ? placeOf(id.latin1Slice(0, id.length)) : 0);
  }
}

/** What comes next in the answer to XREAD: [[stream, [[id, ['b', body]], …]], …]. Lengths that are always 2 are passed over. */
type Expected = 'streams' | 'stream' | 'entries' | 'id' | 'field' | 'body';

class StreamReader implements Receiver {
  private readonly indexes = new Map<string, number>();
  /** By index: the last id that was read, as an argument. */
  private readonly after: Buffer[];
  private readonly question: Buffer;
  private expected: Expected = 'streams';
  private streams = 0;
  private entries = 0;
  private index = 0;
  private id = '';
  private connection!: RespConnection;

  private constructor(
    private readonly mailboxes: readonly number[],
    private readonly positions: Map<number, string>,
    private readonly events: ReceiverEvents,
  ) {
    const streams = mailboxes.map(streamOf);
    streams.forEach((stream, i) => void this.indexes.set(stream, i));
    this.after = mailboxes.map((mailbox) => encoded(positions.get(mailbox) ?? '0'));
    this.question = encoded('XREAD', 'COUNT', ENTRIES_PER_READ, 'BLOCK', 0, 'STREAMS', ...streams);
  }

  static async open(
    port: number,
    mailboxes: readonly number[],
    positions: Map<number, string>,
    events: ReceiverEvents,
  ): Promise<Receiver> {
    const reader = new StreamReader(mailboxes, positions, events);
    const array = (length: number) => reader.array(length);
    const bytes = (value: Buffer) => reader.bytes(value);
    reader.connection = await RespConnection.open(port, { ...unexpected(events), array, bytes });
    reader.ask();
    return reader;
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  private ask(): void {
    this.expected = 'streams';
    this.connection.command(6 + 2 * this.mailboxes.length);
    this.connection.encoded(this.question);
    for (const id of this.after) this.connection.encoded(id);
  }

  private array(length: number): void {
    if (this.expected === 'streams') {
      this.streams = length;
      this.expected = 'stream';
    } else if (this.expected === 'entries') {
      this.entries = length;
      this.expected = 'id';
    }
  }

  private bytes(value: Buffer): void {
    if (this.expected === 'stream') {
      this.index = this.indexes.get(value.latin1Slice(0, value.length))!;
      this.expected = 'entries';
    } else if (this.expected === 'id') {
      this.id = value.latin1Slice(0, value.length);
      this.expected = 'field';
    } else if (this.expected === 'field') this.expected = 'body';
    else this.body(value);
  }

  private body(value: Buffer): void {
    const mailbox = this.mailboxes[this.index]!;
    this.positions.set(mailbox, this.id);
    this.events.delivered(mailbox, value, placeOf(this.id));
    this.entries--;
    this.expected = 'id';
    if (this.entries > 0) return;
    this.after[this.index] = encoded(this.id);
    this.streams--;
    this.expected = 'stream';
    if (this.streams === 0) this.ask();
  }
}

type Order = 'numbered' | 'by stream';
type Sync = 'always' | 'everysec';

const DURABLE: Readonly<Record<Sync, string>> = {
  always: 'fsynced, many messages at once',
  everysec: 'in the page cache as a rule; fsynced per second',
};

async function connect(port: number, order: Order): Promise<Clients> {
  const positions = new Map<number, string>();
  const script = order === 'numbered' ? await ask(port, 'SCRIPT', 'LOAD', NUMBER_AND_APPEND) : '';
  return {
    async register() {},
    openSender: (_, events) =>
      order === 'numbered' ? NumberingSender.open(port, script, events) : AppendingSender.open(port, events),
    openReceiver: (mailboxes, events) => StreamReader.open(port, mailboxes, positions, events),
    async close() {},
  };
}

const configuration = (port: number, directory: string, sync: Sync) => `
bind 127.0.0.1
port ${port}
dir "${directory}"
save ""
appendonly yes
appendfsync ${sync}
auto-aof-rewrite-percentage 0
`;

function redis(name: string, order: Order, sync: Sync): System {
  return {
    name,
    promises: (workload) => promisesOf(order === 'numbered', DURABLE[sync], workload),
    missing: async (workload) => notInstalled(SERVER) ?? noEqual(workload),
    async start(_, directory) {
      const port = await freePort();
      const file = join(directory, 'redis.conf');
      writeFileSync(file, configuration(port, directory, sync));
      const { pid, stop } = await startPeer(SERVER, [file], () => ask(port, 'PING'));
      return { address: { port }, version: versionOf(SERVER)!, pids: [pid], stages: async () => null, stop };
    },
    connect: (address) => connect(Number(address['port']), order),
  };
}

export const REDIS: readonly System[] = [
  redis('redis-always', 'numbered', 'always'),
  redis('redis-everysec', 'numbered', 'everysec'),
  redis('redis-xadd-always', 'by stream', 'always'),
];
