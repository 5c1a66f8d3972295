/** What stages hand on, as lists of rows that a cheat can change, and back. */
import { sha256 } from '#crypto';
import { attest, pagesOutput } from '../../src/actors/attest.js';
import { packInboxRows } from '../../src/actors/inbox-rows.js';
import type { Items, MessageBatch, ReceiverItems, RouterShare } from '../../src/actors/messages.js';
import {
  concat,
  decodeAttestation,
  encodeAttestation,
  INBOX_PREFIX,
  INBOX_ROW_BYTES,
  ITEM_ROW_BYTES,
  merkleRoot,
  pagesBytes,
  putPrefixes,
  RECEIVER_PREFIX,
  ROLE,
  ROUTER_PREFIX,
  rowAt,
} from '../../src/protocol/index.js';
import { outboxLeaves } from './acts.js';
import type { Cheater, Said } from './cheat.js';

export interface Row {
  readonly bytes: Uint8Array;
  readonly position: number;
}

/** A mailbox's row: 70 bytes. */
export const mailboxOf = ({ bytes }: Row) => Buffer.from(bytes.subarray(0, 32));
export const inboxOf = ({ bytes }: Row) => (bytes[32]! << 8) | bytes[33]!;
export const indexOf = ({ bytes }: Row) => Buffer.from(bytes).readUInt32BE(34);
export const hashOf = ({ bytes }: Row) => Buffer.from(bytes.subarray(38));

export function rowsOf({ count, pages, positions }: Items): Row[] {
  return Array.from({ length: count }, (_, x) => {
    const at = rowAt(x, ITEM_ROW_BYTES);
    return { bytes: pages.slice(at, at + ITEM_ROW_BYTES), position: positions[x]! };
  });
}

export function itemsOf(rows: readonly Row[], prefix: Uint8Array): Items {
  const pages = laid(
    rows.map(({ bytes }) => bytes),
    ITEM_ROW_BYTES,
    prefix,
  );
  return { count: rows.length, pages, positions: Uint16Array.from(rows, ({ position }) => position) };
}

function laid(rows: readonly Uint8Array[], rowBytes: number, prefix: Uint8Array): Uint8Array {
  const pages = new Uint8Array(pagesBytes(rows.length, rowBytes));
  putPrefixes(pages, rows.length, rowBytes, prefix);
  rows.forEach((row, x) => {
    pages.set(row, rowAt(x, rowBytes));
  });
  return pages;
}

/** An item with something else in it. */
export function changed(row: Row, change: (bytes: Buffer) => void): Row {
  const bytes = Buffer.from(row.bytes);
  change(bytes);
  return { ...row, bytes: Uint8Array.from(bytes) };
}

export const byOrder = (a: Row, b: Row) => Buffer.compare(a.bytes.subarray(0, 38), b.bytes.subarray(0, 38));

type Sent<T extends Said['message']['type']> = Extract<Said['message'], { type: T }>;

function messagesOf<T extends Said['message']['type']>(said: readonly Said[], type: T): Sent<T>[] {
  return said.flatMap(({ message }) => (message.type === type ? [message as Sent<T>] : []));
}

/** All shares of a router, changed; its statement over them is signed anew. */
export function reroute(
  said: readonly Said[],
  self: Cheater,
  change: (shares: readonly (readonly Row[])[]) => readonly (readonly Row[])[],
  prefix = ROUTER_PREFIX,
): readonly Said[] {
  const shares = messagesOf(said, 'router-share');
  const first = shares[0];
  if (!first || self.given?.type !== 'inbox-batch') return said;
  const items = change(shares.map((share) => rowsOf(share.items))).map((rows) => itemsOf(rows, prefix));
  const outputs = items.map(({ pages, count }) => pagesOutput(pages, count, ITEM_ROW_BYTES));
  const attestation = attest(self, ROLE.router, first.context, [self.given.attestation], outputs);
  return said.map(({ to, message }) => {
    if (message.type === 'attested') return { to, message: { ...message, attestation } };
    if (message.type !== 'router-share') return { to, message };
    return {
      to,
      message: { ...message, attestation, items: items[shares.indexOf(message as RouterShare)]! },
    };
  });
}

/** A receiver's list, changed. */
export function merge(
  said: readonly Said[],
  self: Cheater,
  change: (rows: readonly Row[]) => readonly Row[],
  prefix = RECEIVER_PREFIX,
): readonly Said[] {
  const [given] = messagesOf(said, 'receiver-items');
  if (!given) return said;
  const shares = self.theatre.pipeline.sent.flatMap(({ to, message }) =>
    message.type === 'router-share' && to.index === self.index ? [message] : [],
  );
  const inputs = shares.sort((a, b) => a.router - b.router).map(({ attestation }) => attestation);
  const items = itemsOf(change(rowsOf(given.items)), prefix);
  const output = pagesOutput(items.pages, items.count, ITEM_ROW_BYTES);
  const attestation = attest(self, ROLE.receiver, given.context, inputs, [output]);
  return said.map(({ to, message }) => {
    if (message.type === 'attested') return { to, message: { ...message, attestation } };
    return { to, message: message.type === 'receiver-items' ? { ...message, attestation, items } : message };
  });
}

/** What an outbox takes for its receiver's list: the statement is the receiver's own. */
export function mistake(
  given: ReceiverItems,
  change: (rows: readonly Row[]) => readonly Row[],
): ReceiverItems {
  return { ...given, items: itemsOf(change(rowsOf(given.items)), RECEIVER_PREFIX) };
}

/** An inbox's rows (78 bytes), changed; what else the batch says of the messages stays. */
export function renumber(
  said: readonly Said[],
  self: Cheater,
  change: (rows: readonly Buffer[]) => readonly Buffer[],
  rebatch: (batch: MessageBatch) => MessageBatch = (batch) => batch,
  prefix = INBOX_PREFIX,
): readonly Said[] {
  const [given] = messagesOf(said, 'inbox-batch');
  if (!given) return said;
  const before = Array.from({ length: given.batch.count }, (_, x) => {
    const at = rowAt(x, INBOX_ROW_BYTES);
    return Buffer.from(given.batch.pages.slice(at, at + INBOX_ROW_BYTES));
  });
  const rows = change(before);
  const pages = laid(rows, INBOX_ROW_BYTES, prefix);
  const batch = rebatch({ ...given.batch, pages, count: rows.length });
  const output = pagesOutput(pages, rows.length, INBOX_ROW_BYTES);
  const attestation = attest(self, ROLE.inbox, given.context, [], [output]);
  return said.map(({ to, message }) => {
    if (message.type === 'attested') {
      const records = message.records.map((record) =>
        record.key[0] === 'E'.charCodeAt(0)
          ? { ...record, value: packInboxRows(pages, rows.length) }
          : record,
      );
      return { to, message: { ...message, attestation, records } };
    }
    return { to, message: message.type === 'inbox-batch' ? { ...message, attestation, batch } : message };
  });
}

/** An outbox's leaves, changed. Its statement counts the entries that it was given, whatever they say. */
export function relink(
  said: readonly Said[],
  self: Cheater,
  change: (leaves: readonly Uint8Array[]) => readonly Uint8Array[],
): readonly Said[] {
  const [own] = messagesOf(said, 'attested');
  if (!own) return said;
  const leaves = change(outboxLeaves(own.epoch, own.records));
  const before = decodeAttestation(own.attestation.bytes);
  const root = merkleRoot(concat(...leaves.map((leaf) => sha256(leaf))));
  const output = { entries: before.outputs[0]!.entries, leaves: leaves.length, root };
  const bytes = encodeAttestation({ ...before, outputs: [output] });
  const attestation = { bytes, signature: self.sign(bytes) };
  self.theatre.relinked.set(attestation, leaves);
  return said.map(({ to, message }) => ({
    to,
    message: message === own ? { ...message, attestation } : message,
  }));
}
