/**
 * Message hashes: what names a message everywhere.
 *
 *   message hash := H(csign1ms ‖ server id 32 ‖ sender 32 ‖ counter 8 ‖ recipients 2 ‖ R ‖ body hash 32)
 *   R            := the 80 leaf bytes for one recipient; the leaf hashes for 2 to 16; beyond, the root
 *                   over pages of up to 16 leaf hashes, page 0x00 ‖ csign1rp ‖ n × 32
 */
import { sha256Into } from '#crypto';
import { ascii, copyHash, HASH_BYTES, putU16, putU64 } from './bytes.js';
import { RECIPIENT_PAGE } from './limits.js';

export const MESSAGE_TAG = ascii('csign1ms');
// Offsets inside the message preimage.
export const SERVER_AT = 8;
export const SENDER_AT = 40;
export const COUNTER_AT = 72;
export const COUNT_AT = 80;
export const R_AT = 82;

/** Hashes the messages of one server of which R is known. Keeps one preimage buffer. */
export class MessageHasher {
  protected readonly preimage = new Uint8Array(R_AT + RECIPIENT_PAGE * HASH_BYTES + HASH_BYTES);
  /** As much of it as the message before took: most have as many recipients as the one before. */
  protected whole = this.preimage;

  constructor(serverId: Uint8Array) {
    this.preimage.set(MESSAGE_TAG);
    this.preimage.set(serverId, SERVER_AT);
  }

  /** Sets the sender (32 bytes at `at`) of the messages that follow. */
  sender(bytes: Uint8Array, at: number): void {
    copyHash(bytes, at, this.preimage, SENDER_AT);
  }

  /** Hashes a message of which `R` is known; `body` is its part, with tag. */
  withR(counter: number, count: number, R: Uint8Array, body: Uint8Array, out: Uint8Array, at: number): void {
    this.preimage.set(R, R_AT);
    this.finish(counter, count, R.length, body, out, at);
  }

  protected finish(
    counter: number,
    count: number,
    rLength: number,
    body: Uint8Array,
    out: Uint8Array,
    at: number,
  ): void {
    putU64(this.preimage, COUNTER_AT, counter);
    putU16(this.preimage, COUNT_AT, count);
    sha256Into(body, this.preimage, R_AT + rLength);
    const length = R_AT + rLength + HASH_BYTES;
    if (this.whole.length !== length) this.whole = this.preimage.subarray(0, length);
    sha256Into(this.whole, out, at);
  }
}
