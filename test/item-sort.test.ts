/** Items of a batch against the obvious way to sort them, also with ids that agree in their first bytes. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SortedItems } from '../src/actors/item-sort.js';
import { groupByMailbox } from '../src/actors/link-epoch.js';
import { Memory } from '../src/actors/memory.js';
import { type MessageBatch, RUN, SENT_ONLY, WHERE } from '../src/actors/messages.js';
import {
  BundleCursor,
  encodeBundle,
  ITEM_ROW_BYTES,
  pagesBytes,
  putU32,
  putU64,
  rowAt,
  toHex,
} from '../src/protocol/index.js';
import { named, runOptions } from './worlds.js';

const limits = { recipients: 100, bodyBytes: 100, envelopeBytes: 100 };
const memory = new Memory();
const none = new Uint8Array(0);

/** Few ids, so that mailboxes repeat and senders write to themselves; most agree in four bytes, some in 31. */
const id = fc.tuple(fc.constantFrom(0, 1, 0xff), fc.nat(3), fc.nat(2)).map(([first, fifth, last]) => {
  const bytes = new Uint8Array(32).fill(7);
  bytes[0] = first;
  bytes[4] = fifth;
  bytes[31] = last;
  return bytes;
});
const message = fc.record({
  sender: id,
  to: fc.uniqueArray(id, { minLength: 1, maxLength: 5, selector: toHex }),
  chunk: fc.nat(1),
});
type Message = typeof message extends fc.Arbitrary<infer T> ? T : never;

function batchOf(messages: readonly Message[]): MessageBatch {
  const chunks = [new Uint8Array(1 << 16), new Uint8Array(1 << 16)];
  const used = [3, 0];
  const where = new Uint32Array(messages.length * WHERE.fields);
  const runs = new Uint8Array(messages.length * RUN.bytes);
  messages.forEach(({ sender, to, chunk }, x) => {
    const recipients = to.map((mailbox) => ({ mailbox, envelope: none }));
    const bundle = encodeBundle(recipients, Uint8Array.of(x), named('roster key'));
    const from = used[chunk]!;
    chunks[chunk]!.set(bundle, from);
    used[chunk] = from + bundle.length;
    where.set([chunk, from, used[chunk]!, x, 0], x * WHERE.fields);
    runs.set(sender, x * RUN.bytes);
    putU64(runs, x * RUN.bytes + RUN.counter, 1);
    putU32(runs, x * RUN.bytes + RUN.first, x);
  });
  return { inbox: 0, count: messages.length, pages: none, chunks, where, runs };
}

function obvious(messages: readonly Message[]): string[] {
  const rows = messages.flatMap(({ sender, to }, x) => {
    const ids = to.map(toHex).sort();
    const received = ids.map((mailbox, position) => ({ mailbox, x, position }));
    const own = { mailbox: toHex(sender), x, position: SENT_ONLY };
    return ids.includes(own.mailbox) ? received : [...received, own];
  });
  rows.sort((a, b) => (a.mailbox === b.mailbox ? a.x - b.x : a.mailbox < b.mailbox ? -1 : 1));
  return rows.map(({ mailbox, x, position }, k) => {
    const isRepeat = k > 0 && rows[k - 1]!.mailbox === mailbox;
    return `${mailbox} ${x} ${position} ${isRepeat}`;
  });
}

function sorted(messages: readonly Message[]): string[] {
  const items = new SortedItems(batchOf(messages), new BundleCursor(limits), memory);
  const rows = Array.from(items.order.subarray(0, items.count), (item, k) => {
    const { buffer, byteOffset } = items.mailboxView(item);
    const mailbox = toHex(new Uint8Array(buffer, byteOffset + items.mailboxAt(item), 32));
    return `${mailbox} ${items.message[item]} ${items.position[item]} ${items.isRepeat(k)}`;
  });
  items.release();
  return rows;
}

const test = suite('items of a batch');

test('are sorted by mailbox and message', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
      assert.equal(sorted(messages), obvious(messages));
    }),
    runOptions(300),
  );
});

test('rows of mailboxes that differ in one byte, whichever it is', () => {
  for (let byte = 0; byte < 32; byte++) {
    const pages = new Uint8Array(pagesBytes(4, ITEM_ROW_BYTES)).fill(7);
    for (const x of [2, 3]) pages[rowAt(x, ITEM_ROW_BYTES) + byte] = 8;
    const groups = groupByMailbox({ pages, count: 4, positions: new Uint16Array(4) });
    assert.equal(
      groups.map(({ first, count }) => [first, count]),
      [
        [0, 2],
        [2, 2],
      ],
      `byte ${byte}`,
    );
  }
});

test.run();
