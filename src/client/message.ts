/** What the application is given: a message received, the receipt of one sent. Proof travels along. */
import { LINK_ENTRY_BYTES, type Place, partContent, type ReceivedEntry, toHex } from '../protocol/index.js';
import { claiming } from './claiming.js';
import type { VerifiedLink } from './verifier.js';

export interface ClaimOptions {
  /** Gives up waiting for what makes claims. */
  readonly signal?: AbortSignal;
}

/** One mailbox's messages of one epoch, and how many of them the application still has to acknowledge. */
export interface Batch {
  acknowledged(message: Message): void;
}

/** What stands at a place in the order, provably. */
class Proven {
  /** @internal */
  constructor(
    protected readonly link: VerifiedLink,
    protected readonly row: number,
  ) {}

  /** Where it stands in the one total order: the same for every recipient. */
  get place(): Place {
    const { delivery, entries } = this.link;
    const { inbox, index } = entries[this.row]!;
    return { epoch: delivery.epochLeaf.epoch, inbox, index };
  }

  get messageHash(): Uint8Array {
    const { delivery, firstRow } = this.link;
    const at = (firstRow + this.row) * LINK_ENTRY_BYTES + 6;
    return delivery.rows.slice(at, at + 32);
  }

  /**
   * The whole claim, in binary form: that it stands at this place in this mailbox. Rejects with `connection-lost`
   * in a page that cannot load what makes claims.
   */
  async claim({ signal }: ClaimOptions = {}): Promise<Uint8Array> {
    return (await claiming.get(signal)).claim(this.link, this.row);
  }
}

/** Bytes are views into what came from the network: copy what is kept for long. */
export class Message extends Proven {
  isAcknowledged = false;

  /** @internal */
  constructor(
    /** @internal */
    readonly entry: ReceivedEntry,
    link: VerifiedLink,
    row: number,
    private readonly batch: Batch,
  ) {
    super(link, row);
  }

  /** The sender's public key. */
  get sender(): Uint8Array {
    return this.entry.sender;
  }

  get senderHex(): string {
    return toHex(this.entry.sender);
  }

  /** The sender's own number of this message. */
  get counter(): number {
    return this.entry.counter;
  }

  get body(): Uint8Array {
    return partContent(this.entry.body);
  }

  /** What the sender sealed to this recipient alone; may be empty. */
  get envelope(): Uint8Array {
    return partContent(this.entry.envelope);
  }

  /** To how many mailboxes it went. */
  get recipients(): number {
    return this.entry.recipients;
  }

  /** Bytes that it keeps in memory, about. */
  get weight(): number {
    return 256 + this.entry.body.length + this.entry.envelope.length;
  }

  /** The application is done with it: the server may delete it once all before it are done with too. */
  ack(): void {
    if (this.isAcknowledged) return;
    this.isAcknowledged = true;
    this.batch.acknowledged(this);
  }
}

/** Where the server says that a message of one's own stands. Nothing proves it: see `connectSender`. */
export interface UnprovenPlace {
  readonly proven: false;
  readonly counter: number;
  readonly place: Place;
  /** Of what was sent: a receipt with the same place and hash proves it later. */
  readonly messageHash: Uint8Array;
}

/** Proof that a message of one's own was taken into the order. */
export class Receipt extends Proven {
  /** @internal */
  constructor(
    link: VerifiedLink,
    row: number,
    readonly counter: number,
  ) {
    super(link, row);
  }

  get proven(): true {
    return true;
  }

  /** Size of the signed log that it is proven in. */
  get checkpointSize(): number {
    return this.link.delivery.step.log.checkpoint.size;
  }
}
