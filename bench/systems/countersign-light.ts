/**
 * Clients that verify nothing and keep nothing, as those of other systems: they send, take `placed` as the acknowledgment,
 * read bodies and acknowledge. Blinders are chance that is not hashed: they owe nobody a roster. In binary or in JSON.
 */
import type WebSocket from 'ws';
import { fetchWorld } from '../../src/client/find-server.js';
import type { World } from '../../src/client/world.js';
import * as p from '../../src/protocol/index.js';
import { open } from '../light-client.js';
import type { Clients, Receiver, ReceiverEvents, Sender, SenderEvents } from '../system.js';
import type { Workload } from '../workload.js';
import {
  CONNECT_MS,
  type CountersignAddress,
  idAt,
  registerMailboxes,
  signerOf,
} from './countersign-keys.js';
import {
  binaryCodec,
  jsonCodec,
  type LightCodec,
  type SubmitFrame,
  submissionSigner,
} from './light-codec.js';

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
    return new LightClients(
      address,
      workload,
      await fetchWorld(address.url, AbortSignal.timeout(CONNECT_MS)),
    );
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
    const signer = signerOf(`sender ${number}`);
    const kind = p.SESSION_KIND.front;
    const socket = await open(`${this.base}/v1/front`, kind, [signer], onFrame, codec.isText);
    socket.on('close', (code) => events.failed(new Error(`closed with ${code}`)));
    const { serverId, manifest } = this.world;
    const mustSign = manifest.policy.submissions === p.SUBMISSIONS.required;
    const sign = mustSign ? submissionSigner(serverId, manifest.policy, signer) : null;
    return new LightSender(socket, this.address.ids, codec.submitFrame(workload.envelopeBytes, sign));
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
  private firstNumber = 0;
  private isFlushing = false;

  constructor(
    private readonly socket: WebSocket,
    private readonly ids: Uint8Array,
    private readonly frame: SubmitFrame,
  ) {}

  send(number: number, to: readonly number[], body: Uint8Array): void {
    const { frame } = this;
    if (frame.count === 0) this.firstNumber = number;
    frame.add(this.sorted(to), body);
    if (frame.count === BUNDLES_PER_FRAME || frame.bytes > FRAME_BYTES) this.flush();
    if (this.isFlushing) return;
    this.isFlushing = true;
    setImmediate(() => {
      this.isFlushing = false;
      if (frame.count > 0) this.flush();
    });
  }

  /** Ids in the order that a bundle wants. */
  private sorted(to: readonly number[]): Uint8Array[] {
    const ids = to.map((mailbox) => idAt(this.ids, mailbox));
    return ids.length === 1 ? ids : ids.sort((a, b) => p.compareBytes(a, 0, b, 0, 32));
  }

  /** The keys are new to the server: a message's counter is its number plus one. */
  private flush(): void {
    // The socket masks into a buffer of its own, so that the frame's may be written again.
    this.socket.send(this.frame.take(this.firstNumber + 1));
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
