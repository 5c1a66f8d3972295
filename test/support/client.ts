/** Clients of outboxes as the stages' tests need them: what they were sent must prove itself. */
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { type Address, address } from '../../src/actors/messages.js';
import {
  checkpointText,
  type Deliver,
  decodeCheckpoint,
  decodeDeliver,
  encodeAck,
  FRAME,
  Frontier,
  LOG_MODE,
  rootFromPath,
  SESSION_KIND,
} from '../../src/protocol/index.js';
import type { Pipeline } from './pipeline.js';

/** One socket to one outbox, with all its mailboxes; checks the log and keeps the deliveries. */
export class Reader {
  readonly deliveries: Deliver[] = [];
  ended = 0;
  private readonly to: Address;
  private frontier = new Frontier();
  private undrained = 0;
  private connection = 0;

  constructor(
    private readonly pipeline: Pipeline,
    outbox: number,
  ) {
    this.to = address('outbox', outbox);
  }

  /** A new socket, with a number that is unique in the test. The log is kept unless it is forgotten. */
  connect(connection: number, forget: boolean): void {
    this.connection = connection;
    this.undrained = 0;
    if (forget) this.frontier = new Frontier();
  }

  disconnect(): void {
    this.pipeline.tell(this.to, { type: 'disconnected', connection: this.connection });
  }

  open(slot: number, mailbox: Uint8Array, acknowledged: number, seed: Uint8Array | null): void {
    const { connection, frontier } = this;
    const session = { kind: SESSION_KIND.outbox, acknowledged, logSize: frontier.size, seed };
    this.pipeline.tell(this.to, { type: 'open-mailbox', connection, slot, mailbox, ...session });
  }

  acknowledge(slot: number, epoch: number): void {
    this.pipeline.tell(this.to, {
      type: 'ack',
      connection: this.connection,
      frame: encodeAck([{ slot, epoch }]),
    });
  }

  askStill(slot: number): void {
    this.pipeline.tell(this.to, { type: 'ask-still', connection: this.connection, slot });
  }

  /** Takes in what was sent to this socket. `leafHash` gives the hash of a leaf of the log. */
  take(leafHash: (logIndex: number) => Uint8Array): boolean {
    const frames = this.pipeline.takeGateway('frames');
    const own = frames.filter(({ connection }) => connection === this.connection);
    this.pipeline.gateway.push(...frames.filter((message) => !own.includes(message)));
    for (const frame of own.flatMap((message) => message.frames)) {
      this.undrained += frame.length;
      this.takeFrame(frame, leafHash);
    }
    return own.length > 0;
  }

  /** Tells the outbox that the socket has taken everything. */
  drain(): void {
    const bytes = this.undrained;
    this.undrained = 0;
    this.pipeline.tell(this.to, { type: 'drained', connection: this.connection, bytes });
  }

  private takeFrame(frame: Uint8Array, leafHash: (logIndex: number) => Uint8Array): void {
    if (frame[0] === FRAME.deliver) {
      const delivery = decodeDeliver(frame);
      this.takeProof(delivery, leafHash(delivery.proof.logIndex));
      this.deliveries.push(delivery);
    } else if (frame[0] === FRAME.checkpoint) {
      const { from, to, signature, gap } = decodeCheckpoint(frame);
      assert.is(from, this.frontier.size, 'the client has a checkpoint of this size');
      this.frontier.appendGap(to, gap);
      this.checkSignature(signature);
    } else {
      assert.is(frame[0], FRAME.endOfBacklog);
      this.ended++;
    }
  }

  private takeProof({ proof }: Deliver, leaf: Uint8Array): void {
    const { logIndex } = proof;
    if (proof.mode === LOG_MODE.extend) {
      assert.is(proof.from, this.frontier.size, 'the client has a checkpoint of this size');
      this.frontier.appendGap(logIndex, proof.gap);
      this.frontier.append(leaf);
      this.checkSignature(proof.signature);
    } else {
      assert.is(proof.size, this.frontier.size, 'the client has a checkpoint of this size');
      assert.equal(rootFromPath(proof.size, logIndex, leaf, proof.path), this.frontier.root());
    }
  }

  private checkSignature(signature: Uint8Array): void {
    const { serverId, seeds } = this.pipeline.cluster;
    const text = checkpointText(serverId, this.frontier.size, this.frontier.root());
    // Ed25519 is deterministic: the one right signature is what the key makes.
    assert.equal(Buffer.from(signature), Buffer.from(importSecretKey(seeds.sequencer).sign(text)));
  }
}
