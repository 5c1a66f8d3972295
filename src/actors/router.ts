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
import { jumpTo, MessageChecker, runAt } from './batch.js';
import { idAt, idBytes } from './ids.js';
import { Memory } from './memory.js';
import {
  type ActorMessage,
  address,
  type InboxBatch,
  type Items,
  type MessageBatch,
  SENT_ONLY,
  type Send,
  type Stage,
} from './messages.js';

export interface RouterOptions extends SignerOptions {
  readonly receivers: number;
  /** Which receiver (and outbox) serves a mailbox: 32 bytes. */
  readonly receiverOf: (mailbox: Uint8Array) => number;
  readonly limits: BundleLimits;
  readonly keys: PublicKeyBook;
  /** `checks: everywhere`. */
  readonly checkInputs: boolean;
}

/** One mailbox's items of the epoch: (message, position) pairs, in order. */
interface Bin {
  readonly mailbox: string;
  readonly receiver: number;
  readonly messages: number[];
  readonly positions: number[];
}

const PLACEMENTS_CACHED = 200_000;

export class Router implements Stage {
  private readonly memory = new Memory();
  private readonly cursor: BundleCursor;
  private placements = new Map<string, number>();
  private held: { epoch: number; blocks: Uint8Array[] } | null = null;

  constructor(
    private readonly options: RouterOptions,
    private readonly send: Send,
  ) {
    this.cursor = new BundleCursor(options.limits);
  }

  handle(message: ActorMessage): void {
    switch (message.type) {
      case 'inbox-batch':
        return this.route(message);
      case 'committed':
        for (const block of this.held?.blocks ?? []) this.memory.give(block);
        this.held = null;
        return;
      default:
        throw new Error(`router does not take '${message.type}'`);
    }
  }

  private route({ context, attestation: input, batch }: InboxBatch): void {
    const { options } = this;
    if (options.checkInputs) checking(`inbox ${options.index}`, () => this.check(context, input, batch));
    this.held = { epoch: context.epoch, blocks: [] };
    const bins = [...this.sort(batch).values()].sort((a, b) => (a.mailbox < b.mailbox ? -1 : 1));
    const shares = Array.from({ length: options.receivers }, (_, receiver) =>
      this.pack(
        bins.filter((bin) => bin.receiver === receiver),
        batch,
      ),
    );
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

  /** Groups messages by mailbox: recipients, then the sender unless it is a recipient itself. */
  private sort(batch: MessageBatch): Map<string, Bin> {
    const bins = new Map<string, Bin>();
    const { cursor } = this;
    for (let x = 0; x < batch.count; x++) {
      jumpTo(cursor, batch, x);
      const sender = idAt(batch.runs, runAt(batch, x));
      let toSelf = false;
      for (let i = 0; i < cursor.recipients; i++) {
        const mailbox = idAt(cursor.bytes, cursor.mailboxAt(i));
        this.put(bins, mailbox, x, i);
        if (mailbox === sender) toSelf = true;
      }
      if (!toSelf) this.put(bins, sender, x, SENT_ONLY);
    }
    return bins;
  }

  private put(bins: Map<string, Bin>, mailbox: string, message: number, position: number): void {
    let bin = bins.get(mailbox);
    if (!bin) {
      bin = { mailbox, receiver: this.receiverOf(mailbox), messages: [], positions: [] };
      bins.set(mailbox, bin);
    }
    bin.messages.push(message);
    bin.positions.push(position);
  }

  private receiverOf(mailbox: string): number {
    if (this.options.receivers === 1) return 0;
    let receiver = this.placements.get(mailbox);
    if (receiver === undefined) {
      if (this.placements.size >= PLACEMENTS_CACHED) this.placements = new Map();
      receiver = this.options.receiverOf(idBytes(mailbox));
      this.placements.set(mailbox, receiver);
    }
    return receiver;
  }

  private pack(bins: readonly Bin[], batch: MessageBatch): Items {
    const count = bins.reduce((sum, bin) => sum + bin.messages.length, 0);
    const bytes = pagesBytes(count, ITEM_ROW_BYTES);
    const block = this.memory.take(bytes);
    const hints = this.memory.take(count * 2);
    this.held!.blocks.push(block, hints);
    const pages = block.subarray(0, bytes);
    const positions = new Uint16Array(hints.buffer, 0, count);
    putPrefixes(pages, count, ITEM_ROW_BYTES, ROUTER_PREFIX);
    let x = 0;
    for (const bin of bins) {
      const mailbox = idBytes(bin.mailbox);
      for (let i = 0; i < bin.messages.length; i++, x++) {
        const index = bin.messages[i]!;
        const row = rowAt(x, ITEM_ROW_BYTES);
        putItemRow(pages, row, mailbox, 0, batch.inbox, index, batch.pages, rowAt(index, INBOX_ROW_BYTES));
        positions[x] = bin.positions[i]!;
      }
    }
    return { count, pages, positions };
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
