/** Check, then sign: what an outbox holds against its receiver's attestation (`checks: everywhere`). */
import {
  type BundleLimits,
  getU16,
  getU32,
  ITEM_INBOX_AT,
  ITEM_INDEX_AT,
  ITEM_ROW_BYTES,
  itemsRise,
  mailboxAt,
  type PublicKeyBook,
  RECEIVER_PREFIX,
  ROLE,
  rowAt,
  sameBytes,
  viewOf,
} from '../protocol/index.js';
import { ActorFault, checkAttestation, checking, checkPagesOutput } from './attest.js';
import { counterOf, MessageChecker, moveTo, runAt } from './batch.js';
import { packedBundle, packedCounter, packedEnd } from './body-packer.js';
import { isSent, type LinkRow, sameMailbox } from './epoch-file.js';
import { idBytes } from './ids.js';
import type { MessageBatch, ReceiverItems } from './messages.js';
import type { SignedEpoch } from './signed-epoch.js';

interface CheckOptions {
  readonly index: number;
  readonly serverId: Uint8Array;
  readonly keys: PublicKeyBook;
  readonly limits: BundleLimits;
  readonly receiverOf: (mailbox: Uint8Array) => number;
}

/** The receiver's signature, context, pages, their order, that every item belongs here and names a message. Throws `ActorFault`. */
export function checkReceiver(
  { context, attestation, items, batches }: ReceiverItems,
  { keys, serverId, index, receiverOf }: CheckOptions,
): void {
  const { pages, count } = items;
  const who = `receiver ${index}`;
  const signed = checkAttestation(attestation, keys, serverId, ROLE.receiver, index, context);
  checkPagesOutput(signed.outputs[0], pages, count, ITEM_ROW_BYTES, RECEIVER_PREFIX, who);
  if (!itemsRise(pages, count)) throw new ActorFault(`${who}: items do not rise`);
  if (batches.some(({ inbox }, i) => inbox !== i)) throw new ActorFault(`${who}: batches out of order`);
  const view = viewOf(pages);
  for (let x = 0; x < count; x++) {
    const row = rowAt(x, ITEM_ROW_BYTES);
    const batch = batches[getU16(pages, row + ITEM_INBOX_AT)];
    if (!batch || getU32(pages, row + ITEM_INDEX_AT) >= batch.count)
      throw new ActorFault(`${who}: item of a message that there is not`);
    const first = x === 0 || !sameMailbox(view, row, rowAt(x - 1, ITEM_ROW_BYTES));
    if (first && receiverOf(pages.subarray(row, row + 32)) !== index)
      throw new ActorFault(`${who}: item of another outbox`);
  }
}

/** Every row as it will be delivered: bytes as packed, counter, position, against the hash in the chain. Throws `ActorFault`. */
export function checkBodies(
  signed: SignedEpoch,
  batches: readonly MessageBatch[],
  { serverId, limits, index }: CheckOptions,
): void {
  const check = new BodyCheck(signed, batches, new MessageChecker(serverId, limits));
  checking(`receiver ${index}`, () => {
    // Sent ones last: most of their messages have been hashed by then.
    check.rows((row) => !isSent(row), check.received);
    check.rows(isSent, check.sent);
  });
}

class BodyCheck {
  private readonly hashes: Uint8Array[];
  /** Per inbox and message: offset of its packed bytes + 1, once they are hashed. */
  private readonly packed: Uint32Array[];

  constructor(
    private readonly signed: SignedEpoch,
    private readonly batches: readonly MessageBatch[],
    private readonly checker: MessageChecker,
  ) {
    this.hashes = batches.map(({ count }) => new Uint8Array(count * 32));
    this.packed = batches.map(({ count }) => new Uint32Array(count));
  }

  rows(wanted: (row: LinkRow) => boolean, isRight: (row: LinkRow, mailbox: Uint8Array) => boolean): void {
    const { links } = this.signed;
    for (let i = 0; i < links.mailboxes; i++) {
      const mailbox = idBytes(links.mailbox(i));
      for (let x = links.firstRow(i), end = x + links.rowCount(i); x < end; x++) {
        const row = links.row(x);
        if (wanted(row) && !(isRight.call(this, row, mailbox) && this.hasHash(row)))
          throw new ActorFault(`row ${x} is not what its message says`);
      }
    }
  }

  private hasHash({ inbox, index, hashAt }: LinkRow): boolean {
    return sameBytes(this.hashes[inbox]!, index * 32, this.signed.links.bytes, hashAt, 32);
  }

  received({ inbox, index, position, detail }: LinkRow, mailbox: Uint8Array): boolean {
    const { bodies } = this.signed;
    const bundle = packedBundle(detail);
    if (this.packed[inbox]![index] !== detail + 1) {
      const end = packedEnd(bodies, detail);
      if (this.checker.cursor.parse(bodies, bundle, end) !== end) return false;
      const counter = packedCounter(bodies, detail);
      this.checker.hash(bodies, detail, counter, this.hashes[inbox]!, index * 32);
      if (!this.checker.hasLeaves(bodies, this.checker.cursor.recipients > 1 ? end : 0)) return false;
      this.packed[inbox]![index] = detail + 1;
    }
    const at = mailboxAt(bundle, position);
    return position < getU16(bodies, bundle) && sameBytes(bodies, at, mailbox, 0, 32);
  }

  /** The owner is the sender, with this counter, and not also a recipient. */
  sent({ inbox, index, detail }: LinkRow, mailbox: Uint8Array): boolean {
    const { checker } = this;
    const batch = this.batches[inbox]!;
    if (this.packed[inbox]![index]) moveTo(checker.cursor, batch, index);
    else checker.hashIn(batch, index, this.hashes[inbox]!, index * 32);
    const { bytes, start, recipients } = checker.cursor;
    for (let i = 0; i < recipients; i++) {
      if (sameBytes(bytes, mailboxAt(start, i), mailbox, 0, 32)) return false;
    }
    return counterOf(batch, index) === detail && sameBytes(batch.runs, runAt(batch, index), mailbox, 0, 32);
  }
}
