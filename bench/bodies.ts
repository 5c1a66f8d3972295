/**
 * Bodies that a receiver can check: sender 4 ‖ number 4 ‖ intended time 8 ‖ filling. The filling is a piece of one long
 * random text that the seed gives; where the piece begins the header decides, so that neither can be changed alone.
 */
import { mix, randomFrom } from './random.js';
import { HEADER_BYTES, type Workload } from './workload.js';

const PIECES = 4096;
const PURPOSE = 2;

export class Bodies {
  private readonly text: Buffer;
  private readonly filling: number;
  private readonly seed: number;

  constructor({ seed, bodyBytes }: Pick<Workload, 'seed' | 'bodyBytes'>) {
    const random = randomFrom(seed, PURPOSE);
    this.seed = seed;
    this.filling = bodyBytes - HEADER_BYTES;
    this.text = Buffer.alloc(this.filling + PIECES);
    for (let i = 0; i < this.text.length; i++) this.text[i] = random() * 256;
  }

  /** A buffer of its own for every message. */
  make(sender: number, number: number, intended: number): Buffer {
    const body = Buffer.allocUnsafe(HEADER_BYTES + this.filling);
    body.writeUInt32BE(sender, 0);
    body.writeUInt32BE(number, 4);
    body.writeDoubleBE(intended, 8);
    const from = this.pieceOf(body);
    this.text.copy(body, HEADER_BYTES, from, from + this.filling);
    return body;
  }

  /** Whether these are a body that was made with this seed. */
  isWhole(body: Uint8Array): boolean {
    if (body.length !== HEADER_BYTES + this.filling) return false;
    const from = this.pieceOf(body);
    return this.text.compare(body, HEADER_BYTES, body.length, from, from + this.filling) === 0;
  }

  private pieceOf(body: Uint8Array): number {
    let h = this.seed;
    for (let at = 0; at < HEADER_BYTES; at += 4) h = mix(h ^ word(body, at));
    return h % PIECES;
  }
}

const word = (bytes: Uint8Array, at: number) =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

export const senderIn = (body: Uint8Array) => word(body, 0) >>> 0;
export const numberIn = (body: Uint8Array) => word(body, 4) >>> 0;

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
// 1.0 has its one bits in the higher word.
float[0] = 1;
const [high, low] = words[0] === 0 ? [1, 0] : [0, 1];

export function intendedIn(body: Uint8Array): number {
  words[high!] = word(body, 8);
  words[low!] = word(body, 12);
  return float[0]!;
}
