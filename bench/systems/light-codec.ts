/** What light clients write and read, in binary and in JSON. */
import { randomBytes } from 'node:crypto';
import { type Signer, sha256 } from '#crypto';
import {
  BLINDER_AT,
  BLINDER_BYTES,
  BODY_TAG,
  ENVELOPE_HASH_AT,
  ENVELOPE_TAG,
  LEAF_PART_BYTES,
  LEAF_PREFIX,
  MAILBOX_AT,
  TAG_BYTES,
} from '../../src/protocol/bundle-layout.js';
import * as p from '../../src/protocol/index.js';
import { placeNumber } from './countersign-keys.js';

/** A frame of submissions that grows message by message. */
export interface SubmitFrame {
  readonly count: number;
  readonly bytes: number;
  /** `to`: ids of 32 bytes, in rising order. */
  add(to: readonly Uint8Array[], body: Uint8Array): void;
  /** The frame, for counters from the first on; the next one is empty. Holds until the next message is added. */
  take(firstCounter: number): Uint8Array | string;
}

/** The sender's signature over so many bundles, which fill the bytes. */
export type SignSubmission = (firstCounter: number, count: number, bundles: Uint8Array) => Uint8Array;

export function submissionSigner(
  serverId: Uint8Array,
  policy: p.Policy,
  { publicKey, sign }: Signer,
): SignSubmission {
  const hasher = new p.BundleHasher(serverId);
  const cursor = new p.BundleCursor(policy);
  hasher.sender(publicKey, 0);
  return (firstCounter, count, bundles) => {
    const hashes = new Uint8Array(count * p.HASH_BYTES);
    for (let k = 0, at = 0; k < count; k++) {
      at = cursor.parse(bundles, at, bundles.length);
      hasher.bundle(firstCounter + k, cursor, hashes, k * p.HASH_BYTES);
    }
    return sign(p.submissionBytes(serverId, publicKey, firstCounter, hashes));
  };
}

export interface LightCodec {
  readonly isText: boolean;
  /** For messages with an envelope of so many bytes for each recipient. `sign`: null = unsigned; in binary alone. */
  submitFrame(envelopeBytes: number, sign: SignSubmission | null): SubmitFrame;
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

const BLINDERS = randomBytes(1 << 16);

/** Writes bundles where they will lie, so that a message costs no object. One blinder serves all of its recipients. */
class BinaryFrame implements SubmitFrame {
  count = 0;
  bytes: number;
  private readonly headerBytes: number;
  private out = Buffer.allocUnsafe(1 << 16);
  private blinderAt = 0;
  private readonly envelopePart: Buffer;
  private readonly envelopeHash: Uint8Array;

  constructor(
    envelopeBytes: number,
    private readonly sign: SignSubmission | null,
  ) {
    this.headerBytes = p.SUBMIT_HEADER_BYTES + (sign ? p.SIGNATURE_BYTES : 0);
    this.bytes = this.headerBytes;
    const part = p.concat(ENVELOPE_TAG, new Uint8Array(envelopeBytes));
    this.envelopePart = Buffer.alloc(4 + (envelopeBytes && part.length));
    this.envelopeHash = new Uint8Array(p.HASH_BYTES);
    if (envelopeBytes === 0) return;
    this.envelopePart.writeUInt32BE(part.length);
    this.envelopePart.set(part, 4);
    this.envelopeHash = sha256(part);
  }

  add(to: readonly Uint8Array[], body: Uint8Array): void {
    this.reserve(2 + to.length * (LEAF_PART_BYTES + this.envelopePart.length) + 4 + TAG_BYTES + body.length);
    const { out, envelopePart, envelopeHash } = this;
    let at = out.writeUInt16BE(to.length, this.bytes);
    this.blinderAt = (this.blinderAt + BLINDER_BYTES) % BLINDERS.length;
    for (const mailbox of to) {
      out.set(LEAF_PREFIX, at);
      BLINDERS.copy(out, at + BLINDER_AT, this.blinderAt, this.blinderAt + BLINDER_BYTES);
      out.set(mailbox, at + MAILBOX_AT);
      out.set(envelopeHash, at + ENVELOPE_HASH_AT);
      at += LEAF_PART_BYTES;
    }
    for (let i = 0; i < to.length; i++, at += envelopePart.length) out.set(envelopePart, at);
    at = out.writeUInt32BE(TAG_BYTES + body.length, at);
    out.set(BODY_TAG, at);
    out.set(body, at + TAG_BYTES);
    this.bytes = at + TAG_BYTES + body.length;
    this.count++;
  }

  private reserve(more: number): void {
    if (this.bytes + more <= this.out.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.bytes + more));
    this.out.copy(larger, 0, 0, this.bytes);
    this.out = larger;
  }

  take(firstCounter: number): Uint8Array {
    const { out, bytes, count, headerBytes } = this;
    const signature = this.sign?.(firstCounter, count, out.subarray(headerBytes, bytes));
    const header = p.encodeSubmit(0, firstCounter, [], signature);
    p.putU16(header, headerBytes - 2, count);
    out.set(header);
    this.bytes = headerBytes;
    this.count = 0;
    return out.subarray(0, bytes);
  }
}

export const binaryCodec: LightCodec = {
  isText: false,
  submitFrame: (envelopeBytes, sign) => new BinaryFrame(envelopeBytes, sign),
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

class JsonFrame implements SubmitFrame {
  private bundles: string[] = [];
  private readonly envelope: string;
  bytes = 0;

  constructor(envelopeBytes: number) {
    this.envelope = base64(new Uint8Array(envelopeBytes));
  }

  get count(): number {
    return this.bundles.length;
  }

  add(to: readonly Uint8Array[], body: Uint8Array): void {
    const from = (BLINDER_BYTES * this.count) % BLINDERS.length;
    const blinder = base64(BLINDERS.subarray(from, from + BLINDER_BYTES));
    const recipients = to.map((mailbox) => ({ mailbox: base64(mailbox), blinder, envelope: this.envelope }));
    const bundle = JSON.stringify({ recipients, body: base64(body) });
    this.bytes += bundle.length;
    this.bundles.push(bundle);
  }

  take(firstCounter: number): string {
    const bundles = this.bundles.join();
    this.bundles = [];
    this.bytes = 0;
    return `{"type":"submit","slot":0,"flags":0,"firstCounter":"${firstCounter}","bundles":[${bundles}]}`;
  }
}

/** Frames come as bytes of a text. */
export const jsonCodec: LightCodec = {
  isText: true,
  submitFrame: (envelopeBytes) => new JsonFrame(envelopeBytes),
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
