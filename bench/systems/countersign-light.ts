/**
 * Clients that verify nothing and keep nothing, as those of other systems: they send, take `placed` as the acknowledgment,
 * read bodies and acknowledge. Blinders are chance that is not hashed: they owe nobody a roster. In binary or in JSON.
 */
import { randomBytes } from 'node:crypto';
import type WebSocket from 'ws';
import { fetchWorld } from '../../src/client/directory.js';
import type { World } from '../../src/client/world.js';
import * as p from '../../src/protocol/index.js';
import { open } from '../light-client.js';
import type { Clients, Receiver, ReceiverEvents, Sender, SenderEvents } from '../system.js';
import type { Workload } from '../workload.js';
import { type CountersignAddress, idAt, registerMailboxes, signerOf } from './countersign-keys.js';
import { binaryCodec, jsonCodec, type LightCodec } from './light-codec.js';

/** Below what the server takes by default (limits.bundlesPerFrame, limits.frameBytes). */
const BUNDLES_PER_FRAME = 1024;
const FRAME_BYTES = 1 << 20;

export class LightClients implements Clients {
  private readonly codec: LightCodec;

  private constructor(
    private readonly address: CountersignAddress,
    private readonly workload: Workload,
    private readonly world: World,
  ) {
    this.codec = workload.encoding === 'json' ? jsonCodec : binaryCodec;
  }

  static async connect(address: CountersignAddress, workload: Workload): Promise<LightClients> {
    return new LightClients(address, workload, await fetchWorld(address.url, AbortSignal.timeout(10_000)));
  }

  private get base(): string {
    return this.address.url.replace('http', 'ws');
  }

  register(mailboxes: readonly number[]): Promise<void> {
    return registerMailboxes(this.address, mailboxes);
  }

  async openSender(number: number, events: SenderEvents): Promise<Sender> {
    const { codec, workload } = this;
    const onFrame = (frame: Buffer) => {
      codec.placed(frame, events.acknowledged, () => events.failed(codec.error(frame)));
    };
    const signers = [signerOf(`sender ${number}`)];
    const socket = await open(`${this.base}/v1/front`, p.SESSION_KIND.front, signers, onFrame, codec.isText);
    socket.on('close', (code) => events.failed(new Error(`closed with ${code}`)));
    return new LightSender(socket, this.address.ids, workload, codec);
  }

  async openReceiver(mailboxes: readonly number[], events: ReceiverEvents): Promise<Receiver> {
    const byOutbox = new Map<number, number[]>();
    for (const mailbox of mailboxes) {
      const outbox = this.world.outboxOf(idAt(this.address.ids, mailbox));
      byOutbox.set(outbox, [...(byOutbox.get(outbox) ?? []), mailbox]);
    }
    const sockets = [...byOutbox].map(([outbox, own]) => this.openOutbox(outbox, own, events));
    return new LightReceiver(await Promise.all(sockets));
  }

  private async openOutbox(
    outbox: number,
    mailboxes: readonly number[],
    events: ReceiverEvents,
  ): Promise<WebSocket> {
    const { codec } = this;
    const signers = mailboxes.map((mailbox) => signerOf(`mailbox ${mailbox}`));
    const onFrame = (frame: Buffer, socket: WebSocket) => {
      const answer = codec.delivered(
        frame,
        (slot, body, place) => events.delivered(mailboxes[slot]!, body, place),
        () => events.failed(codec.error(frame)),
      );
      if (answer) socket.send(answer);
    };
    const url = `${this.base}/v1/outboxes/${outbox}`;
    const socket = await open(url, p.SESSION_KIND.outbox, signers, onFrame, codec.isText);
    socket.on('close', (code) => events.failed(new Error(`closed with ${code}`)));
    return socket;
  }

  async close(): Promise<void> {}
}

/** What is sent in one turn of the event loop goes out in as few frames as possible. */
class LightSender implements Sender {
  private readonly blinders = randomBytes(1 << 16);
  private readonly envelope: Uint8Array;
  private bundles: Uint8Array[] = [];
  private bytes = 0;
  private firstNumber = 0;

  constructor(
    private readonly socket: WebSocket,
    private readonly ids: Uint8Array,
    { envelopeBytes }: Workload,
    private readonly codec: LightCodec,
  ) {
    this.envelope = new Uint8Array(envelopeBytes);
  }

  send(number: number, to: readonly number[], body: Uint8Array): void {
    const { bundles } = this;
    if (bundles.length === 0) {
      this.firstNumber = number;
      setImmediate(() => this.flush());
    }
    const bundle = this.codec.bundle(this.recipients(to), body, this.blinders, (number * 16) % 65_536);
    bundles.push(bundle);
    this.bytes += bundle.length;
    if (bundles.length === BUNDLES_PER_FRAME || this.bytes > FRAME_BYTES) this.flush();
  }

  /** Sorted by id, as a bundle wants them. */
  private recipients(to: readonly number[]): p.Recipient[] {
    const { ids, envelope } = this;
    const list = to.map((mailbox) => ({ mailbox: idAt(ids, mailbox), envelope }));
    if (list.length > 1) list.sort((a, b) => p.compareBytes(a.mailbox, 0, b.mailbox, 0, 32));
    return list;
  }

  /** The keys are new to the server: a message's counter is its number plus one. */
  private flush(): void {
    if (this.bundles.length === 0) return;
    this.socket.send(this.codec.submit(this.firstNumber + 1, this.bundles));
    this.firstNumber += this.bundles.length;
    this.bundles = [];
    this.bytes = 0;
  }

  async close(): Promise<void> {
    terminate(this.socket);
  }
}

class LightReceiver implements Receiver {
  constructor(private readonly sockets: readonly WebSocket[]) {}

  async close(): Promise<void> {
    for (const socket of this.sockets) terminate(socket);
  }
}

function terminate(socket: WebSocket): void {
  socket.removeAllListeners();
  socket.on('error', () => {});
  socket.terminate();
}
