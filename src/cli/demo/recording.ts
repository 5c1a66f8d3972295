/** What the demo's clients send, are shown and are given receipts for, as it happens. */
import type { Message, Receipt, Stand } from '../../client/index.js';
import { decodeClaim, toHex, verifyClaim } from '../../protocol/index.js';
import type { Delivered, Seen, Standing } from './checks.js';
import type { Flight } from './latency.js';
import { messageOf, type Plan } from './plan.js';
import { checkClaim, type Witness } from './proof.js';

/** Throws when it does not hold. */
export type Proof = (witness: Witness) => Promise<void>;

export class Recording {
  readonly sentAt: number[] = [];
  readonly mailboxes: Delivered[][];
  readonly receipts: (Standing | undefined)[];
  /** By client: messages that came or went, as its outbox has proven at the end. */
  readonly totals: number[] = [];
  readonly proofs: Proof[] = [];
  readonly flights: Flight[] = [];
  /** Deliveries and receipts so far. */
  events = 0;
  private readonly numbers = new Map<string, number>();
  private readonly sentBy: number[][];

  constructor(private readonly plan: Plan) {
    const { clients, messages } = plan;
    this.mailboxes = Array.from({ length: clients }, () => []);
    this.receipts = messages.map(() => undefined);
    this.sentBy = Array.from({ length: clients }, () => []);
    for (const [message, { sender }] of messages.entries()) this.sentBy[sender]!.push(message);
  }

  /** How many events there will be when all goes well. */
  get expected(): number {
    return this.plan.messages.reduce((sum, { to }) => sum + 1 + to.length, 0);
  }

  get seen(): Seen {
    return this;
  }

  named(client: number, id: Uint8Array): void {
    this.numbers.set(toHex(id), client);
  }

  sent(message: number, at: number): void {
    this.sentAt[message] = at;
  }

  shown(client: number, id: Uint8Array, message: Message, at: number): void {
    const { place, counter, messageHash } = message;
    const number = messageOf(this.plan, message.body);
    const sender = this.numbers.get(message.senderHex) ?? -1;
    this.mailboxes[client]!.push({ message: number, sender, place, counter, hash: toHex(messageHash) });
    const sentAt = this.sentAt[number];
    if (sentAt !== undefined) this.flights.push({ sender, recipient: client, sentAt, shownAt: at });
    this.proofs.push(async (witness) => checkClaim(await message.claim(), witness, id, place, messageHash));
    this.events++;
  }

  receipted(message: number, id: Uint8Array, receipt: Receipt): void {
    const { place, counter, messageHash } = receipt;
    this.receipts[message] = { message, place, counter, hash: toHex(messageHash) };
    this.proofs.push(async (witness) => checkClaim(await receipt.claim(), witness, id, place, messageHash));
    this.events++;
  }

  /** A receipt that came to a later life of the client than the one that had sent the message. */
  receiptedLate(client: number, id: Uint8Array, receipt: Receipt): void {
    this.receipted(this.sentBy[client]![receipt.counter - 1]!, id, receipt);
  }

  stood(client: number, stand: Stand): void {
    this.totals[client] = stand.total;
    const claim = stand.claim();
    // Without one the last link proves itself by its messages.
    if (!claim) return;
    this.proofs.push(async ({ serverId, manifest }) => {
      verifyClaim(decodeClaim(await claim), serverId, manifest, serverId);
    });
  }
}
