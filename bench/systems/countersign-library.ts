/** Clients of the client library: every receipt and every delivery is verified before it is shown. */
import { type Client, connect, connectMany, type Gateway } from '../../src/client/index.js';
import { OPEN_WINDOW } from '../sending.js';
import type { Clients, Receiver, ReceiverEvents, Sender, SenderEvents } from '../system.js';
import type { Workload } from '../workload.js';
import {
  CONNECT_MS,
  type CountersignAddress,
  idAt,
  placeNumber,
  registerMailboxes,
  seedOf,
} from './countersign-keys.js';

export class LibraryClients implements Clients {
  private constructor(
    private readonly address: CountersignAddress,
    private readonly workload: Workload,
  ) {}

  static async connect(address: CountersignAddress, workload: Workload): Promise<LibraryClients> {
    return new LibraryClients(address, workload);
  }

  register(mailboxes: readonly number[]): Promise<void> {
    return registerMailboxes(this.address, mailboxes);
  }

  async openSender(number: number, events: SenderEvents): Promise<Sender> {
    const { load, envelopeBytes } = this.workload;
    const window = load.mode === 'closed' ? load.window : OPEN_WINDOW;
    const key = seedOf(`sender ${number}`);
    const client = await connect({ url: this.address.url, key, window, connectTimeoutMs: CONNECT_MS });
    onEnd(client, events);
    return new LibrarySender(client, this.address.ids, envelopeBytes, events);
  }

  async openReceiver(mailboxes: readonly number[], events: ReceiverEvents): Promise<Receiver> {
    const gateway = await connectMany({
      url: this.address.url,
      keys: mailboxes.map((mailbox) => seedOf(`mailbox ${mailbox}`)),
      mailboxesPerSocket: Math.max(mailboxes.length, 1),
      connectTimeoutMs: CONNECT_MS,
      onMessages(i, messages) {
        for (const { body, place } of messages)
          events.delivered(mailboxes[i]!, body, placeNumber(place.epoch, place.inbox, place.index));
      },
      onReady: (on) => on('state', ({ state, reason }) => state === 'failed' && events.failed(reason!)),
    });
    return gateway;
  }

  async close(): Promise<void> {}
}

function onEnd(client: Client | Gateway, events: SenderEvents): void {
  client.on('state', ({ state, reason }) => {
    if (state === 'failed') events.failed(reason!);
  });
}

class LibrarySender implements Sender {
  private readonly envelope: Uint8Array | undefined;
  private readonly failed: (error: Error) => void;

  constructor(
    private readonly client: Client,
    private readonly ids: Uint8Array,
    envelopeBytes: number,
    private readonly events: SenderEvents,
  ) {
    this.envelope = envelopeBytes > 0 ? new Uint8Array(envelopeBytes) : undefined;
    this.failed = (error) => events.failed(error);
  }

  send(number: number, to: readonly number[], body: Uint8Array): void {
    const { envelope, ids, events } = this;
    const options = { to: to.map((mailbox) => idAt(ids, mailbox)), body };
    this.client
      .send(envelope ? { ...options, envelopes: to.map(() => envelope) } : options)
      .then(({ place }) => {
        events.acknowledged(number, placeNumber(place.epoch, place.inbox, place.index));
      }, this.failed);
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
