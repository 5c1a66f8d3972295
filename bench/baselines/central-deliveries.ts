/**
 * The single-lock server's deliveries: to who is up to date from the message at hand, to who is behind from the store, with a
 * bound on what is on its way to a socket.
 */
import type { CentralQueues, Mailbox, Message } from './central-queues.js';
import { type Entry, encodeDeliver, entryBytes, type Opened } from './central-wire.js';

/** A frame is sent when it is so large. */
const FRAME_BYTES = 1 << 18;

/** A socket that mailboxes are read on. */
export interface Reader {
  readonly send: (frame: Uint8Array) => void;
  /** Mailboxes of the slots. */
  readonly slots: readonly Mailbox[];
  /** Those whose queues hold more than was sent. */
  readonly behind: Set<Mailbox>;
  /** Sent and not taken by the socket yet. */
  inFlight: number;
  /** The frame that is being filled. */
  entries: Entry[];
  bytes: number;
}

export class Deliveries {
  private readonly readers = new Map<number, Reader>();
  /** With something in their frames. */
  private readonly filled = new Set<Reader>();

  constructor(
    private readonly queues: CentralQueues,
    private readonly bytesInFlight: number,
  ) {}

  /** One more socket, with mailboxes that exist. */
  open(connection: number, opened: readonly Opened[], send: (frame: Uint8Array) => void): void {
    const slots = opened.map(({ mailbox }) => this.queues.find(mailbox, 0)!);
    const reader: Reader = { send, slots, behind: new Set(), inFlight: 0, entries: [], bytes: 0 };
    this.readers.set(connection, reader);
    opened.forEach(({ acknowledged }, slot) => {
      const mailbox = slots[slot]!;
      Object.assign(mailbox, { reader, slot, sent: 0 });
      this.queues.acknowledge(mailbox, acknowledged);
      if (mailbox.queue.length > 0) reader.behind.add(mailbox);
    });
    this.catchUp(reader);
  }

  close(connection: number): void {
    const reader = this.readers.get(connection);
    this.readers.delete(connection);
    for (const mailbox of reader?.slots ?? []) if (mailbox.reader === reader) mailbox.reader = null;
  }

  acknowledge(connection: number, slot: number, place: number): void {
    const mailbox = this.readers.get(connection)?.slots[slot];
    if (mailbox) this.queues.acknowledge(mailbox, place);
  }

  /** Messages that are on disk now. */
  deliver(messages: readonly Message[]): void {
    for (const { sequence, bundle } of messages) {
      this.queues.append(sequence, bundle, (mailbox, envelopeAt, bodyAt) => {
        const { reader, slot } = mailbox;
        if (!reader) return;
        // With room nobody is behind: who was has caught up when there was room again.
        if (!this.hasRoom(reader)) reader.behind.add(mailbox);
        else {
          mailbox.sent++;
          this.put(reader, { slot, place: sequence, bundle, envelopeAt, bodyAt });
        }
      });
    }
    for (const reader of this.filled) this.flush(reader);
    this.filled.clear();
  }

  /** The socket has taken so much. */
  drained(connection: number, bytes: number): void {
    const reader = this.readers.get(connection);
    if (!reader) return;
    reader.inFlight -= bytes;
    this.catchUp(reader);
  }

  private catchUp(reader: Reader): void {
    for (const mailbox of reader.behind) {
      while (mailbox.sent < mailbox.queue.length && this.hasRoom(reader)) {
        this.put(reader, this.queues.entryOf(mailbox, mailbox.queue[mailbox.sent++]!));
      }
      if (!this.hasRoom(reader)) break;
      reader.behind.delete(mailbox);
    }
    if (reader.bytes > 0) this.flush(reader);
    this.filled.delete(reader);
  }

  private hasRoom(reader: Reader): boolean {
    return reader.inFlight + reader.bytes < this.bytesInFlight;
  }

  private put(reader: Reader, entry: Entry): void {
    if (reader.entries.push(entry) === 1) this.filled.add(reader);
    reader.bytes += entryBytes(entry);
    if (reader.bytes >= FRAME_BYTES) this.flush(reader);
  }

  private flush(reader: Reader): void {
    if (reader.entries.length === 0) return;
    const frame = encodeDeliver(reader.entries, reader.bytes);
    reader.entries = [];
    reader.bytes = 0;
    reader.inFlight += frame.length;
    reader.send(frame);
  }
}
