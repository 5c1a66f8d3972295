/**
 * SHA-256 of many short inputs, on Node: of those of as many blocks four at a time, which takes half of the time of a call of
 * OpenSSL's for each. Longer ones and those that are left over go there, one by one.
 */
import { sha256Into } from './node.js';
import { BLOCK_BYTES, DIGEST_BYTES, DIGESTS_AT, INPUTS_AT, LANES, SHA256_MODULE } from './sha256-wasm.js';

/** Inputs of more blocks go one by one: OpenSSL has the processor's instructions, and makes good for its calls. */
const MOST_BLOCKS = 4;
/** Behind an input: a bit, zeros, and its length in bits. */
const LENGTH_BYTES = 8;
/** Longer inputs are hashed one by one where they lie. */
export const MOST_BYTES = MOST_BLOCKS * BLOCK_BYTES - 1 - LENGTH_BYTES;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  hash(blocks: number, at: number): void;
}

let compiled: WebAssembly.Module | undefined;

/** In the place of memory that is not written to any more, and must not be held. */
const NOWHERE = new DataView(new ArrayBuffer(0));

/** Inputs of one number of blocks, written or being written, that are not hashed yet. */
class Waiting {
  count = 0;
  /** Of each: its length in bytes, and where its hash is to be. */
  readonly lengths = new Int32Array(LANES).fill(-1);
  readonly outs: DataView[] = [];
  readonly outAts = new Int32Array(LANES);

  constructor(
    readonly blocks: number,
    /** Where the first one lies. */
    readonly at: number,
  ) {}

  inputAt(i: number): number {
    return this.at + i * this.blocks * BLOCK_BYTES;
  }
}

/** One for each that hashes: between its `next` and its `finish` nobody else's inputs may come. */
export class HashLanes {
  /** Where inputs are written. */
  readonly view: DataView;
  /** The same bytes. */
  readonly bytes: Uint8Array;
  private readonly exports: Exports;
  private readonly waiting: Waiting[] = [];

  constructor() {
    compiled ??= new WebAssembly.Module(SHA256_MODULE);
    this.exports = new WebAssembly.Instance(compiled).exports as unknown as Exports;
    this.bytes = new Uint8Array(this.exports.memory.buffer);
    this.view = new DataView(this.bytes.buffer);
    for (let blocks = 0, at = INPUTS_AT; blocks <= MOST_BLOCKS; at += LANES * blocks++ * BLOCK_BYTES)
      this.waiting.push(new Waiting(blocks, at));
  }

  /**
   * Where in `view` an input of so many bytes is to be written, all of it and before the next call; at most `MOST_BYTES`
   * (throws beyond). Its hash is in `out` at `outAt` when `finish` returns.
   */
  next(length: number, out: DataView, outAt: number): number {
    const waiting = this.waiting[(length + LENGTH_BYTES + BLOCK_BYTES) >>> 6]!;
    if (waiting.count === LANES) this.hash(waiting);
    const i = waiting.count++;
    waiting.outs[i] = out;
    waiting.outAts[i] = outAt;
    const at = waiting.inputAt(i);
    // What stands behind the input before is what must stand behind one of the same length.
    if (waiting.lengths[i] !== length) this.pad(at, length, waiting.inputAt(i + 1));
    waiting.lengths[i] = length;
    return at;
  }

  private pad(at: number, length: number, end: number): void {
    this.bytes.fill(0, at + length, end);
    this.bytes[at + length] = 0x80;
    this.view.setUint32(end - 4, length * 8);
  }

  /** Hashes what is left. */
  finish(): void {
    for (const waiting of this.waiting) if (waiting.count > 0) this.hash(waiting);
  }

  private hash(waiting: Waiting): void {
    const { count, blocks, at, outs, outAts, lengths } = waiting;
    waiting.count = 0;
    // Two calls of OpenSSL's take less than four lanes of which two are idle.
    if (count < LANES - 1) {
      for (let i = 0; i < count; i++) {
        const from = waiting.inputAt(i);
        sha256Into(this.bytes.subarray(from, from + lengths[i]!), this.bytes, DIGESTS_AT + i * DIGEST_BYTES);
      }
    } else this.exports.hash(blocks, at);
    for (let i = 0; i < count; i++) {
      this.tell(DIGESTS_AT + i * DIGEST_BYTES, outs[i]!, outAts[i]!);
      outs[i] = NOWHERE;
    }
  }

  private tell(from: number, out: DataView, at: number): void {
    for (let i = 0; i < DIGEST_BYTES; i += 4) out.setInt32(at + i, this.view.getInt32(from + i));
  }
}
