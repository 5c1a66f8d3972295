/** A connection to NATS, over TCP or WebSocket; there what leaves in a turn of the event loop is one frame. */
import { once } from 'node:events';
import { connect } from 'node:net';
import WebSocket from 'ws';
import { Incoming, Outgoing } from './byte-streams.js';

export interface NatsEvents {
  /**
   * `line`: `MSG subject id [reply] bytes` or `HMSG subject id [reply] header-bytes bytes`. `headers` is empty where there
   * are none. Both buffers may be used until this returns.
   */
  message(line: string, headers: Buffer, body: Buffer): void;
  /** `-ERR …`, or the connection ended without having been told to. */
  failed(error: Error): void;
}

export type Transport = 'tcp' | 'ws';

const LF = 10;
const [SPACE, MINUS, H, I, M, O] = [...' -HIMO'].map((each) => each.charCodeAt(0));
const NONE = Buffer.alloc(0);
const OPTIONS = { verbose: false, pedantic: false, headers: true, no_responders: true, protocol: 1 };
const HELLO = `CONNECT ${JSON.stringify({ ...OPTIONS, lang: 'node', version: process.versions.node })}\r\nPING\r\n`;

interface Pipe {
  write(bytes: Buffer): void;
  close(): Promise<void>;
}

interface PipeEvents {
  data(chunk: Buffer): void;
  gone(why: string): void;
}

async function overTcp(port: number, { data, gone }: PipeEvents): Promise<Pipe> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  socket.on('data', data);
  socket.on('error', (error) => gone(error.message));
  socket.on('close', () => gone('the connection was closed'));
  return {
    write: (bytes) => void socket.write(bytes),
    async close() {
      if (socket.closed) return;
      socket.destroy();
      await once(socket, 'close');
    },
  };
}

async function overWebSocket(port: number, { data, gone }: PipeEvents): Promise<Pipe> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  socket.on('message', data);
  await once(socket, 'open');
  socket.on('error', (error) => gone(error.message));
  socket.on('close', () => gone('the connection was closed'));
  return {
    write: (bytes) => socket.send(bytes),
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return;
      const closed = once(socket, 'close');
      socket.terminate();
      await closed;
    },
  };
}

export class NatsConnection {
  private readonly out = new Outgoing((bytes) => this.isOver || this.pipe.write(bytes));
  private readonly incoming = new Incoming((data, at) => this.operation(data, at));
  private pipe!: Pipe;
  private isOver = false;
  private greeted!: () => void;
  private refused!: (error: Error) => void;
  private readonly greeting = new Promise<void>((resolve, reject) => {
    this.greeted = resolve;
    this.refused = reject;
  });

  private constructor(private readonly events: NatsEvents) {}

  static async open(transport: Transport, port: number, events: NatsEvents): Promise<NatsConnection> {
    const connection = new NatsConnection(events);
    connection.pipe = await (transport === 'tcp' ? overTcp : overWebSocket)(port, {
      data: connection.incoming.read,
      gone: (why) => connection.fail(why),
    });
    connection.out.ascii(HELLO);
    await connection.greeting;
    return connection;
  }

  publish(subject: string, reply: string, body: Uint8Array): void {
    this.out.ascii(`PUB ${subject} ${reply} ${body.length}\r\n`);
    this.out.bytes(body);
    this.out.ascii('\r\n');
  }

  subscribe(subject: string, id: number): void {
    this.out.ascii(`SUB ${subject} ${id}\r\n`);
  }

  async close(): Promise<void> {
    this.isOver = true;
    await this.pipe.close();
  }

  private fail(why: string): void {
    if (this.isOver) return;
    this.isOver = true;
    const error = new Error(`nats: ${why}`);
    this.refused(error);
    this.events.failed(error);
  }

  private operation(data: Buffer, at: number): number {
    const lf = data.indexOf(LF, at);
    if (lf < 0) return at - data.length - 1;
    const [first, second] = [data[at], data[at + 1]];
    if (first === M || first === H) return this.message(data, at, lf);
    if (first === MINUS) this.fail(data.latin1Slice(at, lf - 1));
    // PING and PONG; what is left is INFO and +OK.
    else if (second === I) this.out.ascii('PONG\r\n');
    else if (second === O) this.greeted();
    return lf + 1;
  }

  private message(data: Buffer, at: number, lf: number): number {
    const start = lf + 1;
    const total = lastNumber(data, lf - 1);
    const end = start + total + 2;
    if (end > data.length) return at - end;
    const line = data.latin1Slice(at, lf - 1);
    const split = data[at] === H ? start + Number(line.split(' ').at(-2)) : start;
    const headers = split === start ? NONE : data.subarray(start, split);
    this.events.message(line, headers, data.subarray(split, end - 2));
    return end;
  }
}

/** Of decimal digits that end before `end`, after a blank. */
function lastNumber(data: Buffer, end: number): number {
  let value = 0;
  for (let i = end - 1, unit = 1; data[i] !== SPACE; i--, unit *= 10) value += (data[i]! - 48) * unit;
  return value;
}
