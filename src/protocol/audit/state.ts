/** What an audit knows from the epochs before: where each chain and each sender stood. */
import { equalBytes, getU16, getU32, getU64, putU16, putU32, putU64 } from '../bytes.js';
import type { ChainState } from '../chain.js';
import { comparePlaces, formatPlace, type Place } from '../place.js';
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

  get mailboxes(): number {
    return this.chains.size;
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
    return null;
  }

  chain(mailbox: string): ChainState | null {
    const at = this.chains.find(mailbox);
    if (at < 0) return null;
    const { rows } = this.chains;
    return {
      lastEpoch: getU64(rows, at),
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

  /** Whether a sender's message follows the one before it, as far as that is known. It is remembered. */
  follow(sender: string, counter: number, place: Place, previous: Place): Break<Place | null> | null {
    const at = this.senders.take(sender);
    const { rows } = this.senders;
    const lastCounter = getU64(rows, at + 14);
    const last: Place | null =
      lastCounter === 0
        ? null
        : { epoch: getU64(rows, at), inbox: getU16(rows, at + 8), index: getU32(rows, at + 10) };
    putU64(rows, at, place.epoch);
    putU16(rows, at + 8, place.inbox);
    putU32(rows, at + 10, place.index);
    putU64(rows, at + 14, counter);
    const text = this.fault(counter, previous, last, lastCounter);
    return text === null ? null : { text, before: last };
  }

  private fault(counter: number, previous: Place, last: Place | null, lastCounter: number): string | null {
    const isFirst = previous.epoch === 0;
    if (isFirst !== (counter === 1))
      return isFirst
        ? `is counter ${counter} and names no message before it`
        : 'is counter 1 behind another message';
    const order = last ? comparePlaces(previous, last) : 1;
    if (last && order < 0)
      return `names ${isFirst ? 'nothing' : formatPlace(previous)} before it, and its sender had ${formatPlace(last)}`;
    if (last && order === 0)
      return counter === lastCounter + 1 ? null : `is counter ${counter} behind counter ${lastCounter}`;
    if (!isFirst && previous.epoch >= this.completeFrom)
      return `names ${formatPlace(previous)} before it, where its sender has nothing`;
    return last && counter <= lastCounter + 1 ? `is counter ${counter} behind counter ${lastCounter}` : null;
  }
}
