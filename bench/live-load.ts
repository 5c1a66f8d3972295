/** A few clients of the client library, everything verified, with a steady load among them. */
import { randomBytes } from 'node:crypto';
import * as hdr from 'hdr-histogram-js';
import { type Client, connect } from '../src/client/index.js';

const TICK_MS = 10;
/** Every so many messages one goes to somebody else, too. */
const OTHERS_EVERY = 10;
const LATE_MS = 60_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export const newLatencies = () =>
  hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 120_000_000,
    numberOfSignificantValueDigits: 3,
  });

export class LiveLoad {
  private readonly clients: Client[] = [];
  private latencies = newLatencies();
  private sent = 0;
  private receipts = 0;
  private delivered = 0;
  /** Messages that somebody else was sent, by index in `others` of `run`. */
  readonly sentToOthers = new Map<Uint8Array, number>();
  failure: unknown = null;

  static async on(url: string, count: number): Promise<LiveLoad> {
    const load = new LiveLoad();
    for (let i = 0; i < count; i++) {
      const client = await connect({ url, key: randomBytes(32) });
      client.on('state', ({ state, reason }) => {
        if (state === 'failed') load.fail(reason);
      });
      load.clients.push(client);
      load.read(client).catch((error) => load.fail(error));
    }
    return load;
  }

  private fail(error: unknown): void {
    this.failure ??= error;
  }

  private async read(client: Client): Promise<void> {
    for await (const { body } of client.mailbox()) {
      const sentAt = new DataView(body.buffer, body.byteOffset).getFloat64(0);
      this.latencies.recordValue(Math.max(1, Math.round((performance.now() - sentAt) * 1000)));
      this.delivered++;
    }
  }

  /** `rate` messages a second; what they took from send() to the verified delivery, in microseconds. */
  async run(ms: number, rate: number, others: readonly Uint8Array[]): Promise<hdr.Histogram> {
    const latencies = newLatencies();
    this.latencies = latencies;
    const [began, first] = [performance.now(), this.sent];
    for (let now = began; now - began < ms; await pause(TICK_MS), now = performance.now())
      while (this.sent - first < ((now - began) / 1000) * rate) this.one(others);
    const late = performance.now() + LATE_MS;
    while ((this.delivered < this.sent || this.receipts < this.sent) && !this.failure) {
      if (performance.now() > late) throw new Error(`${this.delivered} of ${this.sent} delivered`);
      await pause(TICK_MS);
    }
    if (this.failure) throw this.failure;
    return latencies;
  }

  private one(others: readonly Uint8Array[]): void {
    const { clients } = this;
    const number = this.sent++;
    const to = [clients[(number + 1) % clients.length]!.id];
    if (number % OTHERS_EVERY === 0) {
      const other = others[Math.floor(Math.random() * others.length)]!;
      this.sentToOthers.set(other, (this.sentToOthers.get(other) ?? 0) + 1);
      to.push(other);
    }
    const body = Buffer.alloc(128);
    body.writeDoubleBE(performance.now());
    clients[number % clients.length]!.send({ to, body }).then(
      () => this.receipts++,
      (error) => this.fail(error),
    );
  }

  async close(): Promise<void> {
    for (const client of this.clients) await client.close();
  }
}
