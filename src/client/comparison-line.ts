/**
 * The line between two clients that compare: frames in turn over whatever carries bytes, each signed by who says it. Both say
 * one of the same kind, and take the other's before they say the next.
 *
 *   on the line  length 4, of what follows ‖ frame (comparison-frames.ts) ‖ signature 64
 *   signed       countersign/v1 comparison ‖ line digest 32 ‖ frame
 *   line digest  32 zero bytes; behind each turn H(csign1vt ‖ the one before 32 ‖ H(the lower id's frame) ‖ H(the higher id's))
 *
 * The first turn is of random bytes: so nothing signed of one line is good on another, and whoever carries the bytes can read
 * them or keep them, and no more.
 */
import { randomBytes, sha256, type Verifier, verifierOf } from '#crypto';
import {
  ascii,
  compareWhole,
  concat,
  getU32,
  HASH_BYTES,
  SIGNATURE_BYTES,
  Writer,
} from '../protocol/index.js';
import { ComparisonError } from './comparison-error.js';
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameOf,
  type Kind,
  MOST_BYTES,
  SAY,
} from './comparison-frames.js';

const DOMAIN = ascii('countersign/v1 comparison');
const TURN_TAG = ascii('csign1vt');
const NOTHING = new Uint8Array(0);

/** What carries bytes between the two, in order: for one comparison, which ends `incoming`. */
export interface Duplex {
  /** Where chunks begin and end says nothing. */
  readonly incoming: AsyncIterable<ArrayBuffer | ArrayBufferView>;
  /** What it returns is waited for. */
  send(bytes: Uint8Array): unknown;
}

/** Who speaks, and with whom: ids are the keys that frames are signed with. */
export interface Speaker {
  readonly id: Uint8Array;
  readonly peer: Uint8Array;
  readonly sign: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
}

/** Everything rejects with a `ComparisonError`, when the signal is aborted too. */
export class ComparisonLine {
  private readonly incoming: AsyncIterator<ArrayBuffer | ArrayBufferView>;
  private readonly late: Promise<never>;
  private readonly key: Verifier;
  /** Of the last chunk, what is not read yet. */
  private rest: Uint8Array = NOTHING;
  private digest: Uint8Array = new Uint8Array(HASH_BYTES);

  constructor(
    private readonly speaker: Speaker,
    private readonly duplex: Duplex,
    signal: AbortSignal,
  ) {
    this.key = verifierOf(speaker.peer);
    this.incoming = duplex.incoming[Symbol.asyncIterator]();
    this.late = new Promise((_, reject) => {
      const fail = () => reject(new ComparisonError('no-answer', 'not in time', { cause: signal.reason }));
      if (signal.aborted) fail();
      else signal.addEventListener('abort', fail, { once: true });
    });
    this.late.catch(() => {});
  }

  /** Before anything else. */
  async open(): Promise<void> {
    await this.swap(SAY.nonce, { nonce: Uint8Array.from(randomBytes(HASH_BYTES)) });
  }

  async swap<K extends Kind>(kind: K, frame: Omit<FrameOf<K>, 'says'>): Promise<FrameOf<K>> {
    const own = encodeFrame({ says: kind, ...frame } as unknown as Frame);
    return decodeFrame(kind, await this.turn(kind, own));
  }

  private async turn(kind: Kind, own: Uint8Array): Promise<Uint8Array> {
    await this.inTime(async () => this.duplex.send(await this.signed(own)));
    const others = await this.inTime(() => this.hear(kind));
    const inOrder = compareWhole(this.speaker.id, this.speaker.peer) < 0 ? [own, others] : [others, own];
    this.digest = sha256(concat(TURN_TAG, this.digest, ...inOrder.map((each) => sha256(each))));
    return others;
  }

  /** What the duplex throws is the other's silence. */
  async inTime<T>(run: () => Promise<T>): Promise<T> {
    const asked = Promise.resolve()
      .then(run)
      .catch((cause: unknown) => {
        throw cause instanceof ComparisonError
          ? cause
          : new ComparisonError('no-answer', String(cause), { cause });
      });
    return Promise.race([asked, this.late]);
  }

  end(): void {
    // Not waited for: it may never answer.
    Promise.resolve(this.incoming.return?.()).catch(() => {});
  }

  // ---- what is signed

  private toSign(frame: Uint8Array): Uint8Array {
    return concat(DOMAIN, this.digest, frame);
  }

  private async signed(frame: Uint8Array): Promise<Uint8Array> {
    const signature = await this.speaker.sign(this.toSign(frame));
    const length = frame.length + SIGNATURE_BYTES;
    return new Writer(4 + length).u32(length).bytes(frame).bytes(signature).done();
  }

  /** A frame that the other one has signed; of which kind is not looked at yet. */
  private async hear(kind: Kind): Promise<Uint8Array> {
    const length = getU32(await this.read(4), 0) - SIGNATURE_BYTES;
    if (length < 0 || length > MOST_BYTES[kind])
      throw new ComparisonError('malformed', `a frame of ${length} bytes, for one of kind ${kind}`);
    const frame = await this.read(length);
    if (await this.key.verify(this.toSign(frame), await this.read(SIGNATURE_BYTES))) return frame;
    throw new ComparisonError('not-authentic', 'a frame that the other one has not signed, on this line');
  }

  // ---- bytes

  private async read(length: number): Promise<Uint8Array> {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      if (this.rest.length === 0) this.rest = await this.chunk();
      const part = this.rest.subarray(0, length - at);
      out.set(part, at);
      at += part.length;
      this.rest = this.rest.subarray(part.length);
    }
    return out;
  }

  private async chunk(): Promise<Uint8Array> {
    const { done, value } = await this.incoming.next();
    if (done) throw new ComparisonError('no-answer', 'the other one has ended');
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    throw new ComparisonError('malformed', `bytes expected, got ${value === null ? value : typeof value}`);
  }
}
