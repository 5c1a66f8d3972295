/**
 * What sockets have outstanding: bytes that were made for them and that they have not taken, of each and of all together, and the
 * memory that these lie in. A frame's tail is made, and counts, before it may be sent; its head is put in front when it is.
 */
import type { Memory } from './memory.js';

export interface OutstandingOptions {
  readonly memory: Memory;
  /** Bytes a socket may have outstanding before it is left alone. */
  readonly bytesInFlight: number;
  /** All sockets together; once they have so much, each may have an equal share of it. */
  readonly bytesInFlightInAll: number;
}

/** A frame but for its head: `length` bytes, which lie from `HEAD_ROOM` on in recycled memory, or are all of memory of their own. */
export interface Tail {
  readonly memory: Uint8Array;
  readonly isRecycled: boolean;
  readonly length: number;
}

/** Bytes from which on a frame lies in recycled memory until its socket has taken it: copying a smaller one is cheaper. */
const SHARED_FROM = 16 << 10;
/** No head is longer: at most 106 hashes lead from one size of the log to another, and 16 from an actor to its epoch's leaf. */
export const HEAD_ROOM = 4608;

/** Of one socket. */
export class SocketBytes {
  /** Of all frames that were sent, and of those that the socket has taken. */
  sent = 0;
  taken = 0;
  /** Of tails that are not sent yet. */
  waiting = 0;
  /** Memory of frames, oldest first, and how much the socket has taken when it is free. */
  readonly blocks: { readonly block: Uint8Array; readonly freeAt: number }[] = [];

  get outstanding(): number {
    return this.sent - this.taken + this.waiting;
  }
}

export class Outstanding {
  /** Of all sockets. */
  private bytes = 0;

  constructor(private readonly options: OutstandingOptions) {}

  /** Whether one of so many sockets may have more: less for each when all of them together have much. */
  hasRoom({ outstanding }: SocketBytes, sockets: number): boolean {
    const { bytesInFlight, bytesInFlightInAll } = this.options;
    if (this.bytes < bytesInFlightInAll) return outstanding < bytesInFlight;
    return outstanding < Math.min(bytesInFlight, bytesInFlightInAll / sockets);
  }

  /** A copy of what comes behind a head. */
  keep(socket: SocketBytes, tail: Uint8Array): Tail {
    const { length } = tail;
    this.bytes += length;
    socket.waiting += length;
    if (length < SHARED_FROM) return { memory: tail.slice(), isRecycled: false, length };
    const memory = this.options.memory.take(HEAD_ROOM + length);
    memory.set(tail, HEAD_ROOM);
    return { memory, isRecycled: true, length };
  }

  /** It will not be sent. */
  drop(socket: SocketBytes, { memory, isRecycled, length }: Tail): void {
    this.bytes -= length;
    socket.waiting -= length;
    if (isRecycled) this.options.memory.give(memory);
  }

  /** The frame of a head, of at most `HEAD_ROOM` bytes, and a tail, as it is sent. */
  seal(socket: SocketBytes, head: Uint8Array, { memory, isRecycled, length }: Tail): Uint8Array {
    this.bytes -= length;
    socket.waiting -= length;
    this.send(socket, head.length + length);
    if (!isRecycled) {
      const frame = new Uint8Array(head.length + length);
      frame.set(head);
      frame.set(memory, head.length);
      return frame;
    }
    const from = HEAD_ROOM - head.length;
    memory.set(head, from);
    socket.blocks.push({ block: memory, freeAt: socket.sent });
    return memory.subarray(from, HEAD_ROOM + length);
  }

  /** Counts what is sent. */
  send(socket: SocketBytes, bytes: number): void {
    this.bytes += bytes;
    socket.sent += bytes;
  }

  /** The socket has taken so many bytes more. */
  take(socket: SocketBytes, bytes: number): void {
    this.bytes -= bytes;
    socket.taken += bytes;
    const { blocks, taken } = socket;
    let free = 0;
    while (free < blocks.length && blocks[free]!.freeAt <= taken) free++;
    for (const { block } of blocks.splice(0, free)) this.options.memory.give(block);
  }

  /** The socket is closed, and has no tails: what it has not taken goes nowhere. */
  close(socket: SocketBytes): void {
    this.take(socket, socket.sent - socket.taken);
  }
}
