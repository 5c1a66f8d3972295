/**
 * The single-lock server's state: one sequence number, one queue per mailbox. Pure: the caller has the lock and the disk.
 *
 * A message is one record, under its sequence number, and names its recipients. A mailbox's queue is the list of the sequence
 * numbers that name it, above the one that it has acknowledged; the lists are in memory and are rebuilt from the records. A
 * record is deleted in the transaction after its last recipient's acknowledgment. How far a mailbox has acknowledged is
 * written by `flush`, where a record outlives it: what a crash loses of that is delivered again.
 *
 *   's'                       the last sequence number 8
 *   'm' ‖ sequence number 8   the bundle
 *   'b' ‖ mailbox 32          acknowledged 8
 */
import { idAt, idBytes } from '../../src/actors/ids.js';
import type { StoreReader, StoreRecord } from '../../src/actors/messages.js';
import { BundleView, getU32, getU64, mailboxAt, putU64 } from '../../src/protocol/index.js';
import type { Reader } from './central-deliveries.js';
import type { Entry } from './central-wire.js';

const SEQUENCE = Uint8Array.of(0x73);
const MESSAGE = 0x6d;
const MAILBOX = 0x62;

/** A message on its way in: who waits for the answer, and its bundle. */
export interface Message {
  readonly connection: number;
  readonly counter: number;
  readonly bundle: Buffer;
  /** 0 until it is numbered. */
  sequence: number;
}

export interface Mailbox {
  /** As by `idAt`. */
  readonly id: string;
  acknowledged: number;
  /** Sequence numbers above that, rising. */
  readonly queue: number[];
  /** How many of them have been sent to the reader. */
  sent: number;
  reader: Reader | null;
  slot: number;
}

/** `envelopeAt` and `bodyAt`: where the recipient's envelope part and the body part start, at their lengths. */
type VisitRecipient = (mailbox: Mailbox, envelopeAt: number, bodyAt: number) => void;

export class CentralQueues {
  private sequence: number;
  private readonly mailboxes = new Map<string, Mailbox>();
  /** Recipients that have not acknowledged, of messages with several of them. */
  private readonly left = new Map<number, number>();
  /** Acknowledged by all, and still on disk. */
  private acknowledged: number[] = [];
  /** Have acknowledged further than the disk knows, where that matters. */
  private readonly moved = new Set<Mailbox>();
  private readonly view = new BundleView();

  /** With what a store holds. */
  constructor(private readonly store: Pick<StoreReader, 'get' | 'range'>) {
    this.sequence = numberIn(store.get(SEQUENCE));
    for (const { key, value } of store.range(Uint8Array.of(MAILBOX), Uint8Array.of(MAILBOX + 1)))
      this.make(idAt(key, 1)).acknowledged = numberIn(value);
    for (const { key, value } of store.range(Uint8Array.of(MESSAGE), Uint8Array.of(MESSAGE + 1)))
      this.append(getU64(key, 1), bufferOf(value), () => {});
  }

  private make(id: string): Mailbox {
    const mailbox: Mailbox = { id, acknowledged: 0, queue: [], sent: 0, reader: null, slot: 0 };
    this.mailboxes.set(id, mailbox);
    return mailbox;
  }

  /** Makes those that are not there; the records to be written. */
  register(ids: readonly Uint8Array[]): StoreRecord[] {
    const fresh = ids.filter((id) => !this.find(id, 0));
    return fresh.map((id) => mailboxRecord(this.make(idAt(id, 0))));
  }

  /** Of the id at `at`. */
  find(bytes: Uint8Array, at: number): Mailbox | undefined {
    return this.mailboxes.get(idAt(bytes, at));
  }

  /** Numbers the messages; gives what must be on disk before they are appended. */
  take(messages: readonly Message[]): StoreRecord[] {
    const records: StoreRecord[] = [];
    for (const sequence of this.acknowledged) records.push({ key: messageKey(sequence), value: null });
    this.acknowledged = [];
    for (const message of messages) {
      message.sequence = ++this.sequence;
      records.push({ key: messageKey(message.sequence), value: message.bundle });
    }
    records.push({ key: SEQUENCE, value: eightBytes(this.sequence) });
    return records;
  }

  /** Appends a message that is on disk to its recipients' queues, and visits each. */
  append(sequence: number, bundle: Buffer, visit: VisitRecipient): void {
    let waiting = 0;
    this.forEachRecipient(bundle, (mailbox, envelopeAt, bodyAt) => {
      if (mailbox.acknowledged >= sequence) return;
      waiting++;
      mailbox.queue.push(sequence);
      visit(mailbox, envelopeAt, bodyAt);
    });
    if (waiting === 0) this.acknowledged.push(sequence);
    if (waiting > 1) this.left.set(sequence, waiting);
  }

  private forEachRecipient(bundle: Buffer, visit: VisitRecipient): void {
    const { view } = this;
    view.jump(bundle, 0, bundle.length);
    const { recipients, bodyAt } = view;
    for (let i = 0, envelopeAt = view.envelopeAt(0); i < recipients; i++) {
      visit(this.find(bundle, mailboxAt(0, i))!, envelopeAt, bodyAt - 4);
      envelopeAt += 4 + getU32(bundle, envelopeAt);
    }
  }

  /** A message of the mailbox's queue, from disk. */
  entryOf(mailbox: Mailbox, place: number): Entry {
    const bundle = bufferOf(this.store.get(messageKey(place))!);
    let entry!: Entry;
    this.forEachRecipient(bundle, (recipient, envelopeAt, bodyAt) => {
      if (recipient === mailbox) entry = { slot: mailbox.slot, place, bundle, envelopeAt, bodyAt };
    });
    return entry;
  }

  /** Everything up to a sequence number that was delivered. */
  acknowledge(mailbox: Mailbox, upTo: number): void {
    const { queue } = mailbox;
    if (upTo <= mailbox.acknowledged || upTo > this.sequence) return;
    mailbox.acknowledged = upTo;
    let count = 0;
    while (count < queue.length && queue[count]! <= upTo) this.release(mailbox, queue[count++]!);
    if (count === queue.length) queue.length = 0;
    else queue.splice(0, count);
    mailbox.sent = Math.max(0, mailbox.sent - count);
  }

  private release(mailbox: Mailbox, sequence: number): void {
    const left = (this.left.get(sequence) ?? 1) - 1;
    if (left > 0) {
      this.left.set(sequence, left);
      this.moved.add(mailbox);
    } else {
      this.left.delete(sequence);
      this.acknowledged.push(sequence);
    }
  }

  /** Whether acknowledgments have come that the disk does not know. */
  get unsaved(): boolean {
    return this.acknowledged.length + this.moved.size > 0;
  }

  /** Acknowledgments, as records. */
  flush(): StoreRecord[] {
    const records = [...this.moved].map(mailboxRecord);
    this.moved.clear();
    return records;
  }
}

function messageKey(sequence: number): Uint8Array {
  const key = Buffer.allocUnsafe(9);
  key[0] = MESSAGE;
  putU64(key, 1, sequence);
  return key;
}

function mailboxRecord({ id, acknowledged }: Mailbox): StoreRecord {
  return { key: Buffer.concat([Uint8Array.of(MAILBOX), idBytes(id)]), value: eightBytes(acknowledged) };
}

function eightBytes(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(8);
  putU64(bytes, 0, value);
  return bytes;
}

const numberIn = (bytes: Uint8Array | undefined) => (bytes ? getU64(bytes, 0) : 0);
const bufferOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
