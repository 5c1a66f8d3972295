/** What light clients write and read, in binary and in JSON. */
import * as p from '../../src/protocol/index.js';
import { placeNumber } from './countersign-keys.js';

export interface LightCodec {
  readonly isText: boolean;
  /** `recipients` sorted by id; one blinder (16 bytes at `at`) serves them all, as nobody checks it. */
  bundle(recipients: readonly p.Recipient[], body: Uint8Array, blinders: Uint8Array, at: number): Uint8Array;
  submit(firstCounter: number, bundles: readonly Uint8Array[]): Uint8Array | string;
  /** Tells of every message that a frame says is placed. */
  placed(frame: Buffer, acknowledged: (number: number, place: number) => void, refused: () => void): void;
  /** Tells of every message that a frame delivers; returns the acknowledgment, if there is something to acknowledge. */
  delivered(
    frame: Buffer,
    message: (slot: number, body: Uint8Array, place: number) => void,
    refused: () => void,
  ): Uint8Array | string | null;
  /** Of an error frame. */
  error(frame: Buffer): Error;
}

const PLACED = { epoch: 3, inbox: 11, count: 13, messages: 15, bytes: 12 };

export const binaryCodec: LightCodec = {
  isText: false,
  bundle: (recipients, body, blinders, from) =>
    p.layOut(recipients, body, (_, out, at) => out.set(blinders.subarray(from, from + 16), at)),
  submit: (firstCounter, bundles) => p.encodeSubmit(0, firstCounter, bundles),
  placed(frame, acknowledged, refused) {
    if (frame[0] === p.FRAME.error) return refused();
    if (frame[0] !== p.FRAME.placed) return;
    const epoch = p.getU64(frame, PLACED.epoch);
    const inbox = p.getU16(frame, PLACED.inbox);
    const count = p.getU16(frame, PLACED.count);
    for (let i = 0, at = PLACED.messages; i < count; i++, at += PLACED.bytes)
      acknowledged(p.getU64(frame, at) - 1, placeNumber(epoch, inbox, p.getU32(frame, at + 8)));
  },
  delivered(frame, message, refused) {
    if (frame[0] === p.FRAME.error) refused();
    if (frame[0] !== p.FRAME.deliver) return null;
    const { epoch, mailboxes } = p.decodeDeliver(frame);
    const acks: p.Ack[] = [];
    for (const mailbox of mailboxes) {
      if (mailbox.kind !== p.MAILBOX_KIND.link) continue;
      for (const entry of mailbox.entries)
        if (entry.kind === p.ENTRY_KIND.received)
          message(
            mailbox.slot,
            p.partContent(entry.body),
            placeNumber(epoch.epoch, entry.inbox, entry.index),
          );
      acks.push({ slot: mailbox.slot, epoch: epoch.epoch });
    }
    return p.encodeAck(acks);
  },
  error: (frame) => new Error(p.decodeError(frame).text),
};

const utf8 = new TextEncoder();
const base64 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url');

interface JsonDelivery {
  readonly type: string;
  readonly epoch: { readonly epoch: string };
  readonly mailboxes: readonly {
    readonly slot: number;
    readonly entries?: readonly { inbox: number; index: number; kind: string; body?: string }[];
  }[];
}

/** Frames come as bytes of a text. */
export const jsonCodec: LightCodec = {
  isText: true,
  bundle(recipients, body, blinders, from) {
    const blinder = base64(blinders.subarray(from, from + 16));
    const list = recipients.map(({ mailbox, envelope }) => {
      return { mailbox: base64(mailbox), blinder, envelope: base64(envelope) };
    });
    return utf8.encode(JSON.stringify({ recipients: list, body: base64(body) }));
  },
  submit(firstCounter, bundles) {
    const list = bundles.map((each) => Buffer.from(each.buffer, each.byteOffset, each.length).toString());
    return `{"type":"submit","slot":0,"flags":0,"firstCounter":"${firstCounter}","bundles":[${list.join()}]}`;
  },
  placed(text, acknowledged, refused) {
    const frame = JSON.parse(String(text));
    if (frame.type === 'error') return refused();
    if (frame.type !== 'placed') return;
    const { epoch, inbox, messages } = frame;
    for (const { counter, index } of messages as { counter: string; index: number }[])
      acknowledged(Number(counter) - 1, placeNumber(Number(epoch), inbox, index));
  },
  delivered(text, message, refused) {
    const frame = JSON.parse(String(text)) as JsonDelivery;
    if (frame.type === 'error') refused();
    if (frame.type !== 'deliver') return null;
    const epoch = Number(frame.epoch.epoch);
    const acks: { slot: number; epoch: string }[] = [];
    for (const { slot, entries } of frame.mailboxes) {
      if (!entries) continue;
      for (const { inbox, index, body } of entries)
        if (body !== undefined)
          message(slot, Buffer.from(body, 'base64url'), placeNumber(epoch, inbox, index));
      acks.push({ slot, epoch: frame.epoch.epoch });
    }
    return JSON.stringify({ type: 'ack', acks });
  },
  error: (text) => new Error(JSON.parse(String(text)).text),
};
