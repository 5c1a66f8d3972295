/**
 * The single-lock server (central-server.ts) as systems of the bench: `central`, durable with each message, and
 * `central-group`, with group commit; and `echo` (echo-server.ts), which only passes on: about what these clients and
 * sockets can carry at most. Its clients check nothing: there is nothing to check.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dial } from '../../src/client/websocket.js';
import { layOut } from '../../src/protocol/bundle-encode.js';
import { TAG_BYTES } from '../../src/protocol/bundle-layout.js';
import * as p from '../../src/protocol/index.js';
import { type Deferred, deferred } from '../../src/server/deferred.js';
import { ready } from '../server-process.js';
import type {
  Address,
  Clients,
  Promises,
  Receiver,
  ReceiverEvents,
  RunningSystem,
  Sender,
  SenderEvents,
  System,
} from '../system.js';
import { limitFlags } from '../systems/countersign.js';
import type { Workload } from '../workload.js';
import * as wire from './central-wire.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
const CENTRAL = fileURLToPath(new URL('./central-server.js', import.meta.url));
const ECHO = fileURLToPath(new URL('./echo-server.js', import.meta.url));
/** Most of each in a frame: the server takes 1,024 bundles in one and 4 MiB. */
const BUNDLES = 512;
const REGISTERED = 2048;
const FRAME_BYTES = 1 << 20;

export const central = system('central', 'message', 'fsynced per message');
export const centralGroup = system('central-group', 'group', 'fsynced per group commit');

function system(name: string, commit: 'message' | 'group', durable: string): System {
  return {
    name,
    promises: ({ server }) => promises(server.durability === 'fsync' ? durable : 'in memory'),
    missing,
    start: (workload, directory) => start(CENTRAL, [directory, commit, ...limitFlags(workload)]),
    connect,
  };
}

export const echo: System = {
  name: 'echo',
  promises: () => promises('nowhere: passed on, not kept'),
  missing: async (workload) =>
    workload.waiting > 0 || workload.online < workload.mailboxes
      ? 'it keeps nothing for mailboxes that nobody reads'
      : missing(workload),
  start: (workload) => start(ECHO, limitFlags(workload)),
  connect,
};

function promises(durable: string): Promises {
  return { totalOrder: true, durable, verified: 'nothing: there is nothing to verify' };
}

async function missing({ encoding }: Workload): Promise<string | null> {
  return encoding === 'binary' ? null : 'it speaks binary frames only';
}

async function connect(address: Address, workload: Workload): Promise<Clients> {
  return new CentralClients(String(address['url']), workload.envelopeBytes);
}

async function start(server: string, args: readonly string[]): Promise<RunningSystem> {
  const child = spawn(process.execPath, [server, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { url } = await ready<{ url: string }>(child);
  const address: Address = { url: url.replace('http', 'ws') };
  return {
    address,
    version,
    pids: [child.pid!],
    stages: async () => null,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** 32 bytes that sort as the numbers do. */
function idOf(mailbox: number): Uint8Array {
  const id = new Uint8Array(32).fill(0x62);
  p.putU32(id, 0, mailbox);
  return id;
}

const ignore = () => {};

/** A socket; `failed` is called when it goes without having been closed. */
class Connection {
  /** The request that has no answer yet. */
  private request: Deferred<void> | null = null;
  private readonly closed = deferred<void>();
  private closing = false;
  private socket!: ReturnType<typeof dial>;

  static open(
    url: string,
    onFrame: (frame: Uint8Array) => void,
    failed: (error: Error) => void,
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const connection = new Connection();
      connection.socket = dial(url, {
        opened: () => resolve(connection),
        frame: (frame) => {
          if (frame[0] === wire.FRAME.ready) connection.request?.resolve();
          else if (frame[0] === p.FRAME.error) failed(new Error(p.decodeError(frame).text));
          else onFrame(frame);
        },
        closed: (code, reason) => {
          const error = new Error(`closed with ${code} ${reason}`);
          reject(error);
          connection.request?.reject(error);
          connection.closed.resolve();
          if (!connection.closing) failed(error);
        },
      });
    });
  }

  send(frame: Uint8Array): void {
    this.socket.send([frame]);
  }

  /** Resolves when the server says that it is ready. */
  ask(frame: Uint8Array): Promise<void> {
    this.request = deferred();
    this.send(frame);
    return this.request.promise;
  }

  /** Resolves when the server has closed it, too: it has read all that was sent. */
  close(): Promise<void> {
    this.closing = true;
    this.socket.close(1000, '');
    return this.closed.promise;
  }
}

class CentralClients implements Clients {
  private readonly open = new Set<Sender | Receiver>();

  constructor(
    private readonly url: string,
    private readonly envelopeBytes: number,
  ) {}

  async register(mailboxes: readonly number[]): Promise<void> {
    const connection = await Connection.open(`${this.url}/v1/front`, ignore, ignore);
    for (let i = 0; i < mailboxes.length; i += REGISTERED)
      await connection.ask(wire.encodeRegister(mailboxes.slice(i, i + REGISTERED).map(idOf)));
    await connection.close();
  }

  async openSender(_: number, events: SenderEvents): Promise<Sender> {
    const sender = await CentralSender.open(`${this.url}/v1/front`, this.envelopeBytes, events);
    this.open.add(sender);
    return sender;
  }

  async openReceiver(mailboxes: readonly number[], events: ReceiverEvents): Promise<Receiver> {
    const receiver = await openReceiver(`${this.url}/v1/outboxes/0`, mailboxes, events);
    this.open.add(receiver);
    return receiver;
  }

  async close(): Promise<void> {
    for (const each of this.open) await each.close();
  }
}

class CentralSender implements Sender {
  private connection!: Connection;
  private readonly envelope: Uint8Array;
  private bundles: Uint8Array[] = [];
  private bytes = 0;
  private first = 0;

  private constructor(envelopeBytes: number) {
    this.envelope = new Uint8Array(envelopeBytes);
  }

  static async open(url: string, envelopeBytes: number, events: SenderEvents): Promise<CentralSender> {
    const sender = new CentralSender(envelopeBytes);
    const taken = (frame: Uint8Array) => {
      for (const { firstCounter, firstPlace, count } of wire.decodeTaken(frame))
        for (let i = 0; i < count; i++) events.acknowledged(firstCounter - 1 + i, firstPlace + i);
    };
    sender.connection = await Connection.open(url, taken, events.failed);
    return sender;
  }

  /** What is sent in one turn of the event loop goes out in as few frames as possible. Counters start at 1. */
  send(number: number, to: readonly number[], body: Uint8Array): void {
    const sorted = to.length === 1 ? to : to.toSorted((a, b) => a - b);
    const recipients = sorted.map((mailbox) => ({ mailbox: idOf(mailbox), envelope: this.envelope }));
    const bundle = layOut(recipients, body, ignore);
    const full = this.bundles.length === BUNDLES || this.bytes + bundle.length > FRAME_BYTES;
    if (full || number !== this.first + this.bundles.length) this.flush();
    if (this.bundles.push(bundle) === 1) {
      this.first = number;
      setImmediate(() => this.flush());
    }
    this.bytes += bundle.length;
  }

  private flush(): void {
    if (this.bundles.length === 0) return;
    this.connection.send(p.encodeSubmit(0, this.first + 1, this.bundles));
    this.bundles = [];
    this.bytes = 0;
  }

  close(): Promise<void> {
    this.flush();
    return this.connection.close();
  }
}

async function openReceiver(
  url: string,
  mailboxes: readonly number[],
  events: ReceiverEvents,
): Promise<Receiver> {
  const newest = new Map<number, number>();
  const onFrame = (frame: Uint8Array) => {
    wire.forEachEntry(frame, (slot, place, from, to) => {
      events.delivered(mailboxes[slot]!, frame.subarray(from + TAG_BYTES, to), place);
      newest.set(slot, place);
    });
    connection.send(p.encodeAck([...newest].map(([slot, epoch]) => ({ slot, epoch }))));
    newest.clear();
  };
  const connection = await Connection.open(url, onFrame, events.failed);
  const opened = mailboxes.map((mailbox) => ({ mailbox: idOf(mailbox), acknowledged: 0 }));
  await connection.ask(wire.encodeOpen(opened));
  return { close: () => connection.close() };
}
