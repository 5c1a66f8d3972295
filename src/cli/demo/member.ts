/** One client of the demo: comes, sends, reads, goes, comes back. */
import { type Client, connect, type Store } from '../../client/index.js';
import { CountersignError } from '../../protocol/index.js';
import type { Recording } from './recording.js';

export interface MemberOptions {
  readonly number: number;
  readonly key: Uint8Array;
  /** A new one for each life, over the same memory. */
  readonly store: () => Store;
  readonly record: Recording;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Something that must not happen did. */
  readonly failed: (error: Error) => void;
}

export class Member {
  /** When it was last connected anew, in ms of `performance.now()`. */
  openAt = 0;
  private client: Client | null = null;
  private reading: Promise<void> = Promise.resolve();

  constructor(private readonly options: MemberOptions) {}

  async join(url: string, server: string): Promise<void> {
    const { number, key, store, record, signal } = this.options;
    this.client = await connect({
      url,
      server,
      key,
      store: store(),
      signal,
      // Everything is on one machine, and nobody else has to be spared.
      backoffFirstMs: 50,
      backoffMostMs: 250,
      onReady: (on) => {
        on('state', ({ state }) => {
          if (state === 'connected') this.openAt = performance.now();
        });
        on('receipt', ({ receipt }) => record.receiptedLate(number, this.id, receipt));
      },
    });
    record.named(number, this.id);
    this.reading = this.read(this.client);
  }

  get id(): Uint8Array {
    return this.client!.id;
  }

  get manifest() {
    return this.client!.manifest;
  }

  get serverId(): Uint8Array {
    return this.client!.serverId;
  }

  private async read(client: Client): Promise<void> {
    const { number, record, failed } = this.options;
    try {
      for await (const message of client.mailbox())
        record.shown(number, client.id, message, performance.now());
    } catch (error) {
      failed(error as Error);
    }
  }

  send(message: number, to: readonly Uint8Array[], body: string): void {
    const { record, failed } = this.options;
    const id = this.id;
    record.sent(message, performance.now());
    this.client!.send({ to, body }).then(
      (receipt) => record.receipted(message, id, receipt),
      // Who leaves without waiting gets its receipts when it is back.
      (error: unknown) => isClosed(error) || failed(error as Error),
    );
  }

  /** Asks its outbox to prove where the mailbox stands now. */
  async stand(): Promise<void> {
    this.options.record.stood(this.options.number, await this.client!.still());
  }

  /** Waits for nothing that is under way. */
  async leave(): Promise<void> {
    await this.client?.close();
    await this.reading;
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'closed';
}
