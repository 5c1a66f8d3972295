/** What the application is given: a message received, the receipt of one sent. Proof travels along. */
import { LINK_ENTRY_BYTES, type Place, partContent, type ReceivedEntry, toHex } from '../protocol/index.js';
import { claiming } from './claiming.js';
import type { VerifiedLink } from './verifier.js';

/** One mailbox's messages of one epoch, and how many of them the application still has to acknowledge. */
export interface Batch {
  acknowledged(message: Message): void;
}

/** Bytes are views into what came from the network: copy what is kept for long. */
export class Message {
  isAcknowledged = false;

  /** @internal */
  constructor(
    private readonly entry: ReceivedEntry,
    private readonly link: VerifiedLink,
    private readonly row: number,
    private readonly batch: Batch,
  ) {}

  /** Where it stands in the one total order: the same for every recipient. */
  get place(): Place {
    const { epoch } = this.link.evidence.epochLeaf;
    return { epoch, inbox: this.entry.inbox, index: this.entry.index };
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

  get messageHash(): Uint8Array {
    return rowHash(this.link, this.row);
  }

  /** Bytes that it keeps in memory, about. */
  get weight(): number {
    return weightOf(this.entry);
  }

  /** The application is done with it: the server may delete it once all before it are done with too. */
  ack(): void {
    if (this.isAcknowledged) return;
    this.isAcknowledged = true;
    this.batch.acknowledged(this);
  }

  /** The whole claim, in binary form, that this message came to this mailbox at this place. As `Receipt.claim`. */
  claim(): Promise<Uint8Array> {
    return claimRow(this.link, this.row);
  }
}

function weightOf({ body, envelope }: ReceivedEntry): number {
  return 256 + body.length + envelope.length;
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
export class Receipt {
  /** @internal */
  constructor(
    private readonly link: VerifiedLink,
    private readonly row: number,
    readonly counter: number,
  ) {}

  get proven(): true {
    return true;
  }

  get place(): Place {
    const entry = this.link.entries[this.row]!;
    return { epoch: this.link.evidence.epochLeaf.epoch, inbox: entry.inbox, index: entry.index };
  }

  get messageHash(): Uint8Array {
    return rowHash(this.link, this.row);
  }

  /** Size of the signed log that it is proven in. */
  get checkpointSize(): number {
    return this.link.evidence.step.log.checkpoint.size;
  }

  /** The whole claim, in binary form. Rejects with `connection-lost` in a page that cannot load what makes it. */
  claim(): Promise<Uint8Array> {
    return claimRow(this.link, this.row);
  }
}

function rowHash({ evidence, firstRow }: VerifiedLink, row: number): Uint8Array {
  const at = (firstRow + row) * LINK_ENTRY_BYTES + 6;
  return evidence.rows.slice(at, at + 32);
}

async function claimRow(link: VerifiedLink, row: number): Promise<Uint8Array> {
  return (await claiming.get()).claimEntry(link, row);
}
