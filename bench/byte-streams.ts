/**
 * What peers' connections have in common, so that clients cost little of the cores that they share with the server: bytes out
 * are encoded into one buffer and leave in one write per turn of the event loop; bytes in are read where they lie.
 */
const FIRST_BYTES = 1 << 16;

export class Outgoing {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES);
  private used = 0;

  /** `write` may keep what it is given. */
  constructor(private readonly write: (bytes: Buffer) => void) {}

  bytes(value: Uint8Array): void {
    this.reserve(value.length);
    this.buffer.set(value, this.used);
    this.used += value.length;
  }

  ascii(value: string): void {
    this.reserve(value.length);
    this.used += this.buffer.latin1Write(value, this.used, value.length);
  }

  private reserve(count: number): void {
    if (this.used === 0) setImmediate(() => this.flush());
    if (this.used + count <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.used + count));
    this.buffer.copy(larger, 0, 0, this.used);
    this.buffer = larger;
  }

  private flush(): void {
    const bytes = Buffer.from(this.buffer.subarray(0, this.used));
    this.used = 0;
    this.write(bytes);
  }
}

export class Incoming {
  /** Of a unit that is not all there. Chunks are put together only when they can be enough: large units are copied once. */
  private rest: Buffer[] = [];
  private have = 0;
  private need = 0;

  /** `unit` takes what begins at `at` and returns where it ends; or minus how many bytes it needs at least, more than there are. */
  constructor(private readonly unit: (data: Buffer, at: number) => number) {}

  readonly read = (chunk: Buffer): void => {
    this.rest.push(chunk);
    this.have += chunk.length;
    if (this.have < this.need) return;
    const data = this.rest.length === 1 ? chunk : Buffer.concat(this.rest);
    this.need = 0;
    let at = 0;
    while (at < data.length) {
      const end = this.unit(data, at);
      if (end < 0) this.need = -end;
      if (end < 0) break;
      at = end;
    }
    this.rest = at < data.length ? [data.subarray(at)] : [];
    this.have = data.length - at;
  };
}
