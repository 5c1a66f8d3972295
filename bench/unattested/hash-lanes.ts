/** In the place of src/crypto/hash-lanes.ts: hashes are zeros, whatever is written to be hashed. */
export { MOST_BYTES } from '../../src/crypto/hash-lanes.js';

export class HashLanes {
  readonly bytes = new Uint8Array(1024);
  readonly view = new DataView(this.bytes.buffer);

  next(_: number, out: DataView, outAt: number): number {
    for (let i = 0; i < 32; i += 4) out.setInt32(outAt + i, 0);
    return 0;
  }

  finish(): void {}
}
