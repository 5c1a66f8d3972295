/**
 * Router: splits one inbox's messages by receiver and mailbox.
 *
 * In:  inbox-batch (its inbox)
 * Out: router-share, one to every receiver, also an empty one; attested (sequencer)
 * Owns: nothing that lasts; a cache of placements; its output until the epoch is committed.
 *
 * 1. One item per mailbox and place: for every recipient and for the sender's own mailbox.
 * 2. Items rise strictly by (mailbox, index); one signed root per receiver.
 * Never: reads or changes bodies (with `checks: everywhere` it hashes them), rejects a message.
 */
import {
  BundleCursor,
  type BundleLimits,
  type EpochContext,
  INBOX_PREFIX,
  INBOX_ROW_BYTES,
  ITEM_ROW_BYTES,
  type Output,
  type PublicKeyBook,
  pagesBytes,
  putItemRow,
  putPrefixes,
  ROLE,
  ROUTER_PREFIX,
  rowAt,
  type SignedAttestation,
  sameBytes,
  viewOf,
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
import { MessageChecker } from './batch.js';
import { idAt } from './ids.js';
import { SortedItems } from './item-sort.js';
import { EpochBlocks, type Memory } from './memory.js';
import {
  type ActorMessage,
  address,
  type InboxBatch,
  type Items,
  type MessageBatch,
  type Send,
  type Stage,
} from './messages.js';

export interface RouterOptions extends SignerOptions {
  readonly memory: Memory;
  readonly receivers: number;
  /** Which receiver (and outbox) serves a mailbox: 32 bytes. */
  readonly receiverOf: (mailbox: Uint8Array) => number;
  readonly limits: BundleLimits;
  readonly keys: PublicKeyBook;
  /** `checks: everywhere`. */
  readonly checkInputs: boolean;
}

/** A share that is being packed: `next` rows of it are. */
interface Share {
  readonly items: Items;
  readonly view: DataView;
  next: number;
}

const PLACEMENTS_CACHED = 200_000;

export class Router implements Stage {
  private readonly cursor: BundleCursor;
  private placements = new Map<string, number>();
  private readonly blocks: EpochBlocks;

  constructor(
    private readonly options: RouterOptions,
    private readonly send: Send,
  ) {
    this.cursor = new BundleCursor(options.limits);
    this.blocks = new EpochBlocks(options.memory);
  }

  handle(message: ActorMessage): void {
    switch (message.type) {
      case 'inbox-batch':
        return this.route(message);
      case 'committed':
        return this.blocks.committed(message.epoch);
      default:
        throw new Error(`router does not take '${message.type}'`);
    }
  }

  private route({ context, attestation: input, batch }: InboxBatch): void {
    const { options } = this;
    if (options.checkInputs) checking(`inbox ${options.index}`, () => this.check(context, input, batch));
    const sorted = new SortedItems(batch, this.cursor, this.options.memory);
    const shares = this.pack(context.epoch, sorted, batch);
    sorted.release();
    const outputs: Output[] = shares.map((items) => pagesOutput(items.pages, items.count, ITEM_ROW_BYTES));
    const attestation = attest(options, ROLE.router, context, [input], outputs);
    shares.forEach((items, receiver) => {
      this.send(address('receiver', receiver), {
        type: 'router-share',
        context,
        router: options.index,
        attestation,
        items,
        batch,
      });
    });
    this.send(address('sequencer'), {
      type: 'attested',
      from: address('router', options.index),
      epoch: context.epoch,
      attestation,
      records: [],
    });
  }

  /** Every receiver's share of the items, in order. */
  private pack(epoch: number, sorted: SortedItems, batch: MessageBatch): Items[] {
    const receivers = this.receiversOf(sorted);
    const counts = new Array<number>(this.options.receivers).fill(0);
    for (let k = 0; k < sorted.count; k++) counts[receivers[k]!]!++;
    const shares = counts.map((count) => this.share(epoch, count));
    const hashes = viewOf(batch.pages);
    for (let k = 0; k < sorted.count; k++) {
      const share = shares[receivers[k]!]!;
      const item = sorted.order[k]!;
      const index = sorted.message[item]!;
      const [row, hashAt] = [rowAt(share.next, ITEM_ROW_BYTES), rowAt(index, INBOX_ROW_BYTES)];
      // A mailbox's first item has its id from the bundle, the others from the row before, which is at hand.
      const isRepeat = sorted.isRepeat(k);
      const mailbox = isRepeat ? share.view : sorted.mailboxView(item);
      const at = isRepeat ? rowAt(share.next - 1, ITEM_ROW_BYTES) : sorted.mailboxAt(item);
      putItemRow(share.view, row, mailbox, at, batch.inbox, index, hashes, hashAt);
      share.items.positions[share.next++] = sorted.position[item]!;
    }
    return shares.map(({ items }) => items);
  }

  private share(epoch: number, count: number): Share {
    const bytes = pagesBytes(count, ITEM_ROW_BYTES);
    const block = this.blocks.take(epoch, bytes);
    const hints = this.blocks.take(epoch, count * 2);
    const pages = block.subarray(0, bytes);
    putPrefixes(pages, count, ITEM_ROW_BYTES, ROUTER_PREFIX);
    const items = { count, pages, positions: new Uint16Array(hints.buffer, 0, count) };
    return { items, view: viewOf(pages), next: 0 };
  }

  /** By place in the order. */
  private receiversOf(sorted: SortedItems): Uint16Array {
    const receivers = new Uint16Array(sorted.count);
    if (this.options.receivers === 1) return receivers;
    for (let k = 0; k < sorted.count; k++) {
      const item = sorted.order[k]!;
      if (sorted.isRepeat(k)) receivers[k] = receivers[k - 1]!;
      else receivers[k] = this.receiverOf(sorted.mailboxView(item), sorted.mailboxAt(item));
    }
    return receivers;
  }

  private receiverOf({ buffer, byteOffset }: DataView, at: number): number {
    const bytes = new Uint8Array(buffer, byteOffset + at, 32);
    const mailbox = idAt(bytes, 0);
    let receiver = this.placements.get(mailbox);
    if (receiver === undefined) {
      if (this.placements.size >= PLACEMENTS_CACHED) this.placements = new Map();
      receiver = this.options.receiverOf(bytes);
      this.placements.set(mailbox, receiver);
    }
    return receiver;
  }

  /** Check, then sign: the inbox's signature and pages, and every message hash from its bytes. */
  private check(context: EpochContext, attestation: SignedAttestation, batch: MessageBatch): void {
    const { keys, serverId, index, limits } = this.options;
    const who = `inbox ${index}`;
    const signed = checkAttestation(attestation, keys, serverId, ROLE.inbox, index, context);
    if (batch.inbox !== index) throw new ActorFault(`${who}: batch of inbox ${batch.inbox}`);
    checkPagesOutput(signed.outputs[0], batch.pages, batch.count, INBOX_ROW_BYTES, INBOX_PREFIX, who);
    const checker = new MessageChecker(serverId, limits);
    const hash = new Uint8Array(32);
    for (let x = 0; x < batch.count; x++) {
      checker.hashIn(batch, x, hash, 0);
      if (!sameBytes(hash, 0, batch.pages, rowAt(x, INBOX_ROW_BYTES), 32))
        throw new ActorFault(`${who}: message ${x} has another hash`);
    }
  }
}
