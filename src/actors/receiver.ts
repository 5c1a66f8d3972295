/**
 * Receiver: merges all routers' shares into mailboxes, always in router order.
 *
 * In:  router-share (every router, once per epoch)
 * Out: receiver-items (its outbox); attested (sequencer)
 * Owns: the shares of the epoch that have come; its output until the epoch is committed.
 *
 * 1. Waits for all routers, also for empty shares.
 * 2. Items rise strictly by (mailbox, inbox, index): routers are numbered like their inboxes.
 * Never: looks into a message, drops or adds an item.
 */
import {
  compareBytes,
  type EpochContext,
  getU16,
  ITEM_INBOX_AT,
  ITEM_ROW_BYTES,
  itemsRise,
  type PublicKeyBook,
  pagesBytes,
  putPrefixes,
  RECEIVER_PREFIX,
  ROLE,
  ROUTER_PREFIX,
  rowAt,
} from '../protocol/index.js';
import {
  ActorFault,
  attest,
  checkAttestation,
  checking,
  checkPagesOutput,
  pagesOutput,
  type SignerOptions,
} from './attest.js';
import { EpochBlocks, type Memory } from './memory.js';
import {
  type ActorMessage,
  address,
  type Items,
  type RouterShare,
  type Send,
  type Stage,
} from './messages.js';

export interface ReceiverOptions extends SignerOptions {
  readonly memory: Memory;
  readonly routers: number;
  /** Which receiver serves a mailbox: 32 bytes. */
  readonly receiverOf: (mailbox: Uint8Array) => number;
  readonly keys: PublicKeyBook;
  /** `checks: everywhere`. */
  readonly checkInputs: boolean;
}

export class Receiver implements Stage {
  private shares: RouterShare[] = [];
  private readonly blocks: EpochBlocks;

  constructor(
    private readonly options: ReceiverOptions,
    private readonly send: Send,
  ) {
    this.blocks = new EpochBlocks(options.memory);
  }

  handle(message: ActorMessage): void {
    switch (message.type) {
      case 'router-share':
        return this.take(message);
      case 'committed':
        return this.blocks.committed(message.epoch);
      default:
        throw new Error(`receiver does not take '${message.type}'`);
    }
  }

  private take(share: RouterShare): void {
    const { epoch } = share.context;
    const other = this.shares.find(
      ({ context, router }) => context.epoch !== epoch || router === share.router,
    );
    if (other)
      throw new ActorFault(
        `router ${share.router}: a share of epoch ${epoch} beside one of ${other.context.epoch}`,
      );
    this.shares.push(share);
    if (this.shares.length < this.options.routers) return;
    const shares = this.shares.sort((a, b) => a.router - b.router);
    this.shares = [];
    this.finish(shares);
  }

  private finish(shares: readonly RouterShare[]): void {
    const { options } = this;
    const { context } = shares[0]!;
    if (options.checkInputs)
      for (const share of shares) checking(`router ${share.router}`, () => this.check(share, context));
    const items = this.merge(
      context.epoch,
      shares.map((share) => share.items),
    );
    const inputs = shares.map((share) => share.attestation);
    const attestation = attest(options, ROLE.receiver, context, inputs, [
      pagesOutput(items.pages, items.count, ITEM_ROW_BYTES),
    ]);
    const batches = shares.map((share) => share.batch);
    this.send(address('outbox', options.index), {
      type: 'receiver-items',
      context,
      attestation,
      items,
      batches,
    });
    this.send(address('sequencer'), {
      type: 'attested',
      from: address('receiver', options.index),
      epoch: context.epoch,
      attestation,
      records: [],
    });
  }

  private merge(epoch: number, shares: readonly Items[]): Items {
    const count = shares.reduce((sum, share) => sum + share.count, 0);
    const bytes = pagesBytes(count, ITEM_ROW_BYTES);
    const block = this.blocks.take(epoch, bytes);
    const hints = this.blocks.take(epoch, count * 2);
    const merged = {
      count,
      pages: block.subarray(0, bytes),
      positions: new Uint16Array(hints.buffer, 0, count),
    };
    if (shares.length === 1) {
      merged.pages.set(shares[0]!.pages);
      merged.positions.set(shares[0]!.positions);
    } else {
      mergeRows(shares, merged);
    }
    putPrefixes(merged.pages, count, ITEM_ROW_BYTES, RECEIVER_PREFIX);
    return merged;
  }

  /** Check, then sign: signature, pages, order, that all of it belongs here, to this router and epoch. */
  private check(share: RouterShare, context: EpochContext): void {
    const { keys, serverId, index, receiverOf } = this.options;
    const who = `router ${share.router}`;
    const signed = checkAttestation(share.attestation, keys, serverId, ROLE.router, share.router, context);
    if (share.batch.inbox !== share.router) throw new ActorFault(`${who}: batch of another inbox`);
    const { pages, count } = share.items;
    checkPagesOutput(signed.outputs[index], pages, count, ITEM_ROW_BYTES, ROUTER_PREFIX, who);
    if (!itemsRise(pages, count)) throw new ActorFault(`${who}: items do not rise`);
    for (let x = 0; x < count; x++) {
      const row = rowAt(x, ITEM_ROW_BYTES);
      if (getU16(pages, row + ITEM_INBOX_AT) !== share.router)
        throw new ActorFault(`${who}: item of another inbox`);
      const first = x === 0 || compareBytes(pages, row, pages, rowAt(x - 1, ITEM_ROW_BYTES), 32) !== 0;
      if (first && receiverOf(pages.subarray(row, row + 32)) !== index)
        throw new ActorFault(`${who}: item of another receiver`);
    }
  }
}

/** Merges rows that rise by mailbox; of equal mailboxes the earlier router's come first. */
function mergeRows(
  shares: readonly Items[],
  out: { pages: Uint8Array; positions: Uint16Array; count: number },
): void {
  const next = shares.map(() => 0);
  for (let x = 0; x < out.count; x++) {
    let best = -1;
    for (let s = 0; s < shares.length; s++) {
      if (next[s]! >= shares[s]!.count) continue;
      if (best < 0 || compareRow(shares[s]!.pages, next[s]!, shares[best]!.pages, next[best]!) < 0) best = s;
    }
    const from = rowAt(next[best]!, ITEM_ROW_BYTES);
    out.pages.set(shares[best]!.pages.subarray(from, from + ITEM_ROW_BYTES), rowAt(x, ITEM_ROW_BYTES));
    out.positions[x] = shares[best]!.positions[next[best]!]!;
    next[best]!++;
  }
}

function compareRow(a: Uint8Array, x: number, b: Uint8Array, y: number): number {
  return compareBytes(a, rowAt(x, ITEM_ROW_BYTES), b, rowAt(y, ITEM_ROW_BYTES), 32);
}
