/** What an audit knows from the epochs and hand-overs before: where each chain and each sender stood. */
import { equalBytes, getU16, getU32, getU64, putU16, putU32, putU64 } from '../bytes.js';
import type { ChainState } from '../chain.js';
import type { HandedSender } from '../hand-over.js';
import { comparePlaces, formatPlace, type Place } from '../place.js';
import type { PlacedAt } from '../placement.js';
import { IdTable } from './id-table.js';

/** last epoch 8 ‖ total 8 ‖ head 32 */
const CHAIN_BYTES = 48;
/** epoch 8 ‖ inbox 2 ‖ index 4 ‖ counter 8 */
const SENDER_BYTES = 22;

/** What does not follow, and where it stood before: 0 and null where nothing is known of that. */
export interface Break<T> {
  readonly text: string;
  readonly before: T;
}

export class AuditState {
  private readonly chains = new IdTable(CHAIN_BYTES);
  private readonly senders = new IdTable(SENDER_BYTES);
  /** All committed epochs from this one on have been read whole: what an id had in them is known. */
  completeFrom = Number.MAX_SAFE_INTEGER;

  /** The last epoch before the newest move of an id of which it is known what was handed over; 0 = there was none. */
  handedUntil: (kind: keyof PlacedAt, id: string) => number = () => 0;

  /** Senders (mailboxes) of which it is known where they stood. */
  *ids(kind: keyof PlacedAt): Iterable<string> {
    const has = (id: string) => (kind === 'inbox' ? this.sender(id) : this.chain(id)) !== null;
    for (const id of (kind === 'inbox' ? this.senders : this.chains).ids()) if (has(id)) yield id;
  }

  /** Whether a chain goes on where it stood, as far as that is known. */
  chainBreak(mailbox: string, next: ChainState): Break<number> | null {
    const known = this.chain(mailbox);
    const { lastEpoch, total, head } = next;
    const before = known?.lastEpoch ?? 0;
    if (lastEpoch < before)
      return { text: `goes on from epoch ${lastEpoch}, and had a link in epoch ${before}`, before };
    if (known && lastEpoch === before) {
      if (total !== known.total)
        return { text: `goes on from ${total} entries, and had ${known.total}`, before };
      if (!equalBytes(head, known.head))
        return { text: `goes on from another head than epoch ${before} gave`, before };
      return null;
    }
    if (lastEpoch >= this.completeFrom)
      return { text: `goes on from epoch ${lastEpoch}, in which it had no link`, before };
    if (lastEpoch > before && lastEpoch <= this.handedUntil('outbox', mailbox))
      return { text: `goes on from epoch ${lastEpoch}, of which nothing was handed over`, before };
    return null;
  }

  chain(mailbox: string): ChainState | null {
    const at = this.chains.find(mailbox);
    if (at < 0) return null;
    const { rows } = this.chains;
    const lastEpoch = getU64(rows, at);
    if (lastEpoch === 0) return null;
    return {
      lastEpoch,
      total: getU64(rows, at + 8),
      head: rows.subarray(at + 16, at + CHAIN_BYTES),
    };
  }

  moveChain(mailbox: string, { lastEpoch, total, head }: ChainState): void {
    const at = this.chains.take(mailbox);
    const { rows } = this.chains;
    putU64(rows, at, lastEpoch);
    putU64(rows, at + 8, total);
    rows.set(head, at + 16);
  }

  /** Nothing is known of it. */
  forgetChain(mailbox: string): void {
    putU64(this.chains.rows, this.chains.take(mailbox), 0);
  }

  /** Whether a sender's message follows the one before it, as far as that is known. It is remembered. */
  follow(sender: string, counter: number, place: Place, previous: Place): Break<Place | null> | null {
    const last = this.sender(sender);
    this.moveSender(sender, { counter, place });
    const text = this.fault(sender, counter, previous, last);
    return text === null ? null : { text, before: last?.place ?? null };
  }

  /** Whether this is where a sender stands, as far as that is known. */
  senderBreak(sender: string, { counter, place }: HandedSender): Break<Place | null> | null {
    const last = this.sender(sender);
    if (this.fault(sender, counter + 1, place, last) === null) return null;
    const text = last
      ? `it had counter ${last.counter} at ${formatPlace(last.place)}`
      : 'its sender has nothing there';
    return { text, before: last?.place ?? null };
  }

  sender(sender: string): HandedSender | null {
    const at = this.senders.find(sender);
    if (at < 0) return null;
    const { rows } = this.senders;
    const counter = getU64(rows, at + 14);
    if (counter === 0) return null;
    const [epoch, inbox, index] = [getU64(rows, at), getU16(rows, at + 8), getU32(rows, at + 10)];
    return { counter, place: { epoch, inbox, index } };
  }

  moveSender(sender: string, { counter, place }: HandedSender): void {
    const at = this.senders.take(sender);
    const { rows } = this.senders;
    putU64(rows, at, place.epoch);
    putU16(rows, at + 8, place.inbox);
    putU32(rows, at + 10, place.index);
    putU64(rows, at + 14, counter);
  }

  /** Nothing is known of it. */
  forgetSender(sender: string): void {
    putU64(this.senders.rows, this.senders.take(sender) + 14, 0);
  }

  private fault(sender: string, counter: number, previous: Place, last: HandedSender | null): string | null {
    const isFirst = previous.epoch === 0;
    if (isFirst !== (counter === 1))
      return isFirst
        ? `is counter ${counter} and names no message before it`
        : 'is counter 1 behind another message';
    const order = last ? comparePlaces(previous, last.place) : 1;
    if (last && order < 0)
      return `names ${isFirst ? 'nothing' : formatPlace(previous)} before it, and its sender had ${formatPlace(last.place)}`;
    if (last && order === 0)
      return counter === last.counter + 1 ? null : `is counter ${counter} behind counter ${last.counter}`;
    if (!isFirst && previous.epoch >= this.completeFrom)
      return `names ${formatPlace(previous)} before it, where its sender has nothing`;
    if (!isFirst && previous.epoch <= this.handedUntil('inbox', sender))
      return `names ${formatPlace(previous)} before it, of which nothing was handed over`;
    return last && counter <= last.counter + 1
      ? `is counter ${counter} behind counter ${last.counter}`
      : null;
  }
}
