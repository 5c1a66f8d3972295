/**
 * Mailbox: one mailbox's chain as its owner knows it, and what the application still has to acknowledge.
 *
 * 1. `state` starts at what is durably acknowledged whenever a socket is opened, and grows by verified links.
 * 2. `verified` never goes back: a redelivery must lead to the same head, or the server rewrote its past.
 * 3. Every epoch is handed on once per process, every message once per store.
 * 4. An epoch is acknowledged when all messages through it are, and that is durable.
 */
import { type ChainState, ENTRY_KIND, equalBytes, type OpenedMailbox } from '../protocol/index.js';
import { Message, Receipt } from './message.js';
import type { Participant, Persister } from './persister.js';
import { type Change, NOTHING_ACKNOWLEDGED, type SavedChain, type SavedMailbox } from './store.js';
import { VerificationError } from './verification-error.js';
import {
  isOwn,
  type MailboxState,
  type OwnMessages,
  type VerifiedLink,
  type VerifiedMailbox,
  type VerifiedStill,
} from './verifier.js';

/**
 * What the newest session could go on from. Complete: everything behind epoch `from` comes. Truncated: mail of
 * the epochs behind `from` through `to` does not, because another holder of the key, or of an older store, has
 * acknowledged it, or because the server has let it go; what is behind `to` comes.
 */
export type Resumed =
  | { readonly complete: true; readonly from: number }
  | { readonly complete: false; readonly from: number; readonly to: number };

/** What a mailbox tells the rest of the client. */
export interface MailboxHost {
  /** Messages are durable here: hand them on. `done` releases their weight. */
  show(messages: readonly Message[]): void;
  /** This epoch's acknowledgment is durable: tell the server. */
  acknowledge(epoch: number): void;
  /** A still, or a link that serves as one, is durable. */
  stood(standing: VerifiedMailbox): void;
  /** Mail behind `from` through `to` does not come. */
  gap(from: number, to: number): void;
}

/** The owner's sender: what is under way, and what becomes of it. */
export interface MailboxSender extends OwnMessages {
  receipt(counter: number, receipt: Receipt): void;
  /** The chain through this epoch does not come any more. */
  lose(through: number): void;
}

/** A place in the chain, and the counter of the owner's last message up to it; −1 = not known. */
interface Position {
  readonly chain: ChainState;
  readonly ownCounter: number;
}

/** One verified link: its messages, and how many are not acknowledged. */
class LinkRecord {
  readonly messages: Message[] = [];
  open = 0;
  /** Messages before it are all acknowledged. */
  next = 0;

  constructor(
    readonly position: Position,
    private readonly mailbox: Mailbox,
  ) {}

  acknowledged(): void {
    this.open--;
    this.mailbox.advance(this);
  }
}

/** What one save covers. */
interface Saving {
  readonly acknowledged: Position;
  readonly records: readonly LinkRecord[];
  readonly standing: VerifiedMailbox | null;
}

export class Mailbox implements Participant {
  /** Null until a socket was opened. */
  state: MailboxState | null = null;
  /** Null until a socket was opened. */
  resumed: Resumed | null = null;
  private stopped = false;
  private verified: ChainState;
  private place: SavedChain['place'];
  private acknowledged: Position;
  private durable: Position;
  /** What the last session named. */
  private offered: Position;
  /** Acknowledged links leave in front. */
  private records: LinkRecord[] = [];
  /** Epoch through which links have been handed on in this process. */
  private given: number;
  private unsaved: LinkRecord[] = [];
  private standing: VerifiedMailbox | null = null;
  private saving: Saving | null = null;
  marked = false;
  private isNew: boolean;

  constructor(
    readonly id: Uint8Array,
    readonly hex: string,
    saved: SavedMailbox | undefined,
    private readonly sender: MailboxSender,
    private readonly persister: Persister,
    private readonly host: MailboxHost,
  ) {
    const chain = saved?.chain ?? NOTHING_ACKNOWLEDGED;
    this.isNew = !saved?.chain;
    this.verified = chain.verified;
    this.place = chain.place;
    this.acknowledged = { chain: chain.acknowledged, ownCounter: chain.ownCounter };
    this.durable = this.acknowledged;
    this.offered = this.acknowledged;
    this.given = chain.acknowledged.lastEpoch;
  }

  /** What a session names: the epoch through which mail is durably acknowledged. */
  offer(): number {
    this.offered = this.durable;
    return this.offered.chain.lastEpoch;
  }

  // ---- opening

  /** Starts, or starts again, behind what is acknowledged. Throws `VerificationError`. */
  opened(told: OpenedMailbox): void {
    const chain = { lastEpoch: told.lastEpoch, total: told.total, head: Uint8Array.from(told.head) };
    const from = this.isNew ? 0 : Math.max(this.given, this.offered.chain.lastEpoch);
    const to = chain.lastEpoch;
    const start = this.startAt(chain);
    this.resumed = to > from ? { complete: false, from, to } : { complete: true, from };
    // Not only where there is a gap: a former life may have been told of it, and ended before it knew what lies there.
    if (start.ownCounter < 0) this.sender.lose(to);
    if (to > from) this.host.gap(from, to);
    const { lastEpoch } = this.durable.chain;
    this.state = {
      mailbox: this.id,
      chain: start.chain,
      asOf: start.chain.lastEpoch,
      ownCounter: start.ownCounter,
      acknowledged: Math.max(lastEpoch, chain.lastEpoch),
      own: this.sender,
    };
    // Acknowledged while the session was being opened.
    if (lastEpoch > start.chain.lastEpoch) this.host.acknowledge(lastEpoch);
  }

  private startAt(chain: ChainState): Position {
    if (this.isNew) return this.begin(chain);
    if (chain.lastEpoch > this.offered.chain.lastEpoch) return this.skip(chain);
    this.mustBe(chain, this.offered.chain);
    return this.offered;
  }

  /** Nothing is known here: the server's word is where the chain starts. */
  private begin(chain: ChainState): Position {
    const fresh = chain.lastEpoch === 0 && chain.total === 0;
    this.isNew = false;
    this.acknowledged = { chain, ownCounter: fresh ? 0 : -1 };
    this.durable = this.acknowledged;
    this.verified = chain;
    this.given = chain.lastEpoch;
    this.persister.mark(this);
    return this.durable;
  }

  /** Somebody else has acknowledged, or the server has let go, what this store had not acknowledged. */
  private skip(chain: ChainState): Position {
    const positions = [...this.records.map(({ position }) => position), this.acknowledged, this.durable];
    const known = positions.find((each) => each.chain.lastEpoch === chain.lastEpoch);
    if (known) this.mustBe(chain, known.chain);
    if (chain.lastEpoch === this.verified.lastEpoch) this.mustBe(chain, this.verified);
    const start = { chain, ownCounter: known?.ownCounter ?? -1 };
    this.records = this.records.filter(({ position }) => position.chain.lastEpoch > chain.lastEpoch);
    if (chain.lastEpoch > this.acknowledged.chain.lastEpoch) this.acknowledged = start;
    if (chain.lastEpoch > this.durable.chain.lastEpoch) this.durable = start;
    if (chain.lastEpoch > this.verified.lastEpoch) this.verified = chain;
    this.given = Math.max(this.given, chain.lastEpoch);
    this.persister.mark(this);
    if (this.records[0]) this.advance(this.records[0]);
    return start;
  }

  private mustBe(told: ChainState, known: ChainState, frame?: Uint8Array): void {
    if (
      told.lastEpoch !== known.lastEpoch ||
      told.total !== known.total ||
      !equalBytes(told.head, known.head)
    )
      throw new VerificationError('resume', `epoch ${told.lastEpoch} is another one`, frame);
  }

  /** Everything committed was sent, the server says: then nothing that was shown before may be missing. */
  caughtUp(): void {
    if (this.state!.chain.lastEpoch < this.verified.lastEpoch) throw this.missing();
  }

  // ---- what was verified

  /** Throws `VerificationError` when a redelivered link is not the one seen before. Changes nothing. */
  checkAgain({ next, before }: VerifiedLink, frame: Uint8Array): void {
    const { verified } = this;
    if (next.chain.lastEpoch === verified.lastEpoch) this.mustBe(next.chain, verified, frame);
    if (next.chain.lastEpoch > verified.lastEpoch && before.lastEpoch < verified.lastEpoch)
      throw this.missing(frame);
  }

  private missing(frame?: Uint8Array): VerificationError {
    return new VerificationError('resume', `epoch ${this.verified.lastEpoch} is gone`, frame);
  }

  takeLink(link: VerifiedLink, live: boolean): number {
    this.state = link.next;
    if (this.stopped) return 0;
    const { chain } = link.next;
    // What was verified before gave its receipts then.
    if (chain.lastEpoch > this.verified.lastEpoch) {
      this.verified = chain;
      this.giveReceipts(link);
    }
    if (live) this.standing = link;
    this.persister.mark(this);
    if (chain.lastEpoch <= this.given) return 0;
    this.given = chain.lastEpoch;
    const record = new LinkRecord(link.next, this);
    const weight = this.fill(record, link);
    this.records.push(record);
    this.unsaved.push(record);
    this.advance(record);
    return weight;
  }

  private giveReceipts(link: VerifiedLink): void {
    const { entries, own } = link;
    for (let row = 0, left = own; left > 0; row++) {
      const entry = entries[row]!;
      if (!isOwn(entry, this.id)) continue;
      this.sender.receipt(entry.counter, new Receipt(link, row, entry.counter));
      left--;
    }
  }

  private fill(record: LinkRecord, link: VerifiedLink): number {
    const { entries } = link;
    let weight = 0;
    for (let row = 0; row < entries.length; row++) {
      const entry = entries[row]!;
      if (entry.kind !== ENTRY_KIND.received || this.wasAcknowledged(link, entry.inbox, entry.index))
        continue;
      const message = new Message(entry, link, row, record);
      record.messages.push(message);
      weight += message.weight;
    }
    record.open = record.messages.length;
    return weight;
  }

  private wasAcknowledged(link: VerifiedLink, inbox: number, index: number): boolean {
    const { place } = this;
    if (link.next.chain.lastEpoch !== place.epoch) return false;
    return inbox < place.inbox || (inbox === place.inbox && index <= place.index);
  }

  takeStill(still: VerifiedStill): void {
    this.state = still.next;
    this.standing = still;
    this.persister.mark(this);
  }

  /** Hands on nothing more; what comes is only verified, because others come with it. */
  stop(): void {
    this.stopped = true;
  }

  // ---- acknowledgment

  /** `record` has one message less to acknowledge: lets go what is done with in front. */
  advance(record: LinkRecord): void {
    if (record !== this.records[0]) return;
    for (let first: LinkRecord | undefined = record; first; first = this.records[0]) {
      const { messages, next } = first;
      while (first.next < messages.length && messages[first.next]!.isAcknowledged) first.next++;
      if (first.next > next) this.place = messages[first.next - 1]!.place;
      if (first.open > 0) break;
      this.acknowledged = first.position;
      this.records.shift();
    }
    this.persister.mark(this);
  }

  // ---- saving

  changes(out: Change[]): void {
    const { chain, ownCounter } = this.acknowledged;
    this.saving = { acknowledged: this.acknowledged, records: this.unsaved, standing: this.standing };
    this.unsaved = [];
    this.standing = null;
    const saved = { acknowledged: chain, ownCounter, place: this.place, verified: this.verified };
    out.push({ type: 'chain', mailbox: this.hex, chain: saved });
  }

  saved(): void {
    const { acknowledged, records, standing } = this.saving!;
    this.saving = null;
    if (acknowledged.chain.lastEpoch > this.durable.chain.lastEpoch) {
      this.durable = acknowledged;
      const { lastEpoch } = acknowledged.chain;
      if (this.state) this.state = acknowledgedThrough(this.state, lastEpoch);
      this.host.acknowledge(lastEpoch);
    }
    for (const { messages } of records) if (messages.length > 0) this.host.show(messages);
    if (standing) this.host.stood(standing);
  }
}

/** Every field by name: a spread costs as much as a hash. */
function acknowledgedThrough(
  { mailbox, chain, asOf, ownCounter, own }: MailboxState,
  acknowledged: number,
): MailboxState {
  return { mailbox, chain, asOf, ownCounter, acknowledged, own };
}
