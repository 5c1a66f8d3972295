/**
 * A connection to Redis. ioredis and node-redis cost 4 and 10 times as much of the client's CPU, which the server needs on
 * the cores that they share (docs/PERFORMANCE.md, "Peers").
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Incoming, Outgoing } from './byte-streams.js';

/** One piece of a reply. Null arrays and strings are not told: nothing that the bench asks is answered with one. */
export interface RespEvents {
  /** Its items come after it. */
  array(length: number): void;
  integer(value: number): void;
  /** Bulk and simple strings; may be used until this returns. */
  bytes(value: Buffer): void;
  /** `-ERR …`, or the connection ended without having been told to. */
  failed(error: Error): void;
}

const CR = 13;
const MINUS = 45;
const [ARRAY, BULK, INTEGER, SIMPLE, ERROR] = [...'*$:+-'].map((each) => each.charCodeAt(0));

/** Arguments of a command, ready to be copied. */
export function encoded(...values: readonly (string | number)[]): Buffer {
  return Buffer.from(values.map((value) => `$${Buffer.byteLength(`${value}`)}\r\n${value}\r\n`).join(''));
}

export class RespConnection {
  private readonly out = new Outgoing((bytes) => this.isClosed || this.socket.write(bytes));
  private readonly incoming = new Incoming((data, at) => this.token(data, at));
  private isClosed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly events: RespEvents,
  ) {
    socket.on('data', this.incoming.read);
    socket.on('error', (error) => this.fail(error.message));
    socket.on('close', () => this.fail('the connection was closed'));
  }

  static async open(port: number, events: RespEvents): Promise<RespConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RespConnection(socket, events);
  }

  /** Begins a command of so many arguments, which `encoded` and `bulk` then add. */
  command(parts: number): void {
    this.out.ascii(`*${parts}\r\n`);
  }

  encoded(argument: Buffer): void {
    this.out.bytes(argument);
  }

  bulk(value: Uint8Array): void {
    this.out.ascii(`$${value.length}\r\n`);
    this.out.bytes(value);
    this.out.ascii('\r\n');
  }

  async close(): Promise<void> {
    this.isClosed = true;
    if (this.socket.closed) return;
    const gone = once(this.socket, 'close');
    this.socket.destroy();
    await gone;
  }

  private fail(why: string): void {
    if (!this.isClosed) this.events.failed(new Error(`redis: ${why}`));
  }

  private token(data: Buffer, at: number): number {
    const kind = data[at];
    if (kind === SIMPLE || kind === ERROR) return this.line(data, at);
    let value = 0;
    let end = at + 1;
    const isNull = data[end] === MINUS;
    for (; end < data.length && data[end] !== CR; end++) value = value * 10 + data[end]! - 48;
    end += 2;
    if (end > data.length) return at - end;
    if (kind === BULK && !isNull) return this.string(data, at, end, value);
    if (kind === INTEGER) this.events.integer(value);
    else if (kind === ARRAY && !isNull) this.events.array(value);
    else if (!isNull) this.fail(`a reply that begins with byte ${kind}`);
    return end;
  }

  private string(data: Buffer, at: number, start: number, length: number): number {
    const end = start + length + 2;
    if (end > data.length) return at - end;
    this.events.bytes(data.subarray(start, end - 2));
    return end;
  }

  private line(data: Buffer, at: number): number {
    const end = data.indexOf('\r\n', at);
    if (end < 0) return at - data.length - 1;
    const text = data.subarray(at + 1, end);
    if (data[at] === ERROR) this.fail(text.toString());
    else this.events.bytes(text);
    return end + 2;
  }
}

/** The answer to one command of strings, which is one string, by a connection of its own. */
export async function ask(port: number, ...command: readonly string[]): Promise<string> {
  let connection: RespConnection | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const events: RespEvents = {
        array: () => reject(new Error('redis: an array')),
        integer: (value) => resolve(`${value}`),
        bytes: (value) => resolve(value.toString()),
        failed: reject,
      };
      RespConnection.open(port, events).then((opened) => {
        connection = opened;
        connection.command(command.length);
        connection.encoded(encoded(...command));
      }, reject);
    });
  } finally {
    await connection?.close();
  }
}
