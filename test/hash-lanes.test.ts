/** Hashes that are made together: every length, any mixture of them, messages and links; against node:crypto and the twin. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Links, linksBytes } from '../src/actors/epoch-file.js';
import { FrameHasher } from '../src/actors/frame-hasher.js';
import { HashedFrame, hashedBytes } from '../src/actors/hashed-frame.js';
import { hashLinks, treeOver } from '../src/actors/link-hashes.js';
import { ChainView } from '../src/actors/mailbox-state.js';
import { HashLanes, MOST_BYTES } from '../src/crypto/hash-lanes.js';
import { HASH_BYTES, treeRoot, viewOf } from '../src/protocol/index.js';
import { bytes, bytesUpTo, hash, same, u16, u32 } from './checks.js';
import * as twin from './twin/index.js';
import { named, runOptions } from './worlds.js';

/** Their hashes, by the lanes. */
function hashed(lanes: HashLanes, inputs: readonly Uint8Array[]): Buffer[] {
  const out = new Uint8Array(inputs.length * HASH_BYTES);
  for (const [i, input] of inputs.entries())
    lanes.bytes.set(input, lanes.next(input.length, viewOf(out), i * HASH_BYTES));
  lanes.finish();
  return inputs.map((_, i) => Buffer.from(out.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)));
}

const inputs = (length: number, count: number) =>
  Array.from({ length: count }, (_, i) => Buffer.alloc(length, length * 31 + i * 7 + 1));

test('every length there may be, from one to nine of it', () => {
  const lanes = new HashLanes();
  for (let length = 0; length <= MOST_BYTES; length++)
    for (const count of length % 16 < 2 ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : [4, 3])
      for (const [i, each] of inputs(length, count).entries())
        assert.equal(hashed(lanes, inputs(length, count))[i], twin.H(each), `${count} of ${length} bytes`);
});

test('a longer one is refused', () => {
  assert.throws(() => new HashLanes().next(MOST_BYTES + 1, new DataView(new ArrayBuffer(32)), 0));
});

test('memory that hashes were written to is not held', () => {
  const lanes = new HashLanes();
  hashed(lanes, inputs(65, 7));
  const { waiting } = lanes as unknown as { waiting: { outs: DataView[] }[] };
  const held = waiting.flatMap(({ outs }) => outs).map(({ byteLength }) => byteLength);
  assert.equal(held, [0, 0, 0, 0]);
});

test('any mixture of lengths, one after another', () => {
  const lanes = new HashLanes();
  const mixture = fc.array(fc.oneof(bytesUpTo(MOST_BYTES), bytes(65), bytesUpTo(130, 118)), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(mixture, (each) => {
      assert.equal(
        hashed(lanes, each),
        each.map((input) => twin.H(input)),
      );
    }),
    runOptions(100, 20),
  );
});

const recipients = fc.oneof(fc.nat({ max: 5 }), fc.constantFrom(15, 16, 31)).map((more) => more + 1);
const bodies = fc.oneof(bytesUpTo(300), bytesUpTo(MOST_BYTES + 2, MOST_BYTES - 10), bytesUpTo(5000));
const shapes = fc.array(fc.record({ recipients, body: bodies, envelope: bytesUpTo(40) }), {
  minLength: 1,
  maxLength: 12,
});

test('frames of messages, with their recipients’ leaves', () => {
  const serverId = named('server');
  const sender = named('sender');
  const hasher = new FrameHasher(serverId);
  fc.assert(
    fc.property(shapes, fc.nat(100), fc.nat(9), (all, before, from) => {
      const messages = all.map(({ recipients, body, envelope }, k): twin.Message => {
        const ids = Array.from({ length: recipients }, (_, i) => named(`mailbox ${k} ${i}`)).sort(
          Buffer.compare,
        );
        const to = ids.map((mailbox, i) => ({ mailbox, blinder: named(`${k} ${i}`).subarray(16), envelope }));
        return { sender, counter: BigInt(before + 1 + k), recipients: to, body };
      });
      const bundles = messages.map((message) => twin.bundleBytes(message));
      const leaves = messages.map(({ recipients: to }) => (to.length > 1 ? to : []));
      const behind = hashedBytes(bundles.length, leaves.flat().length);
      const chunk = {
        id: 1,
        bytes: Uint8Array.from(Buffer.concat([Buffer.alloc(from), ...bundles, Buffer.alloc(behind)])),
      };
      const to = chunk.bytes.length - behind;
      const where = { connection: 1, slot: 0, sender, signature: null, items: 0 };
      const frame = { ...where, firstCounter: before + 1, count: bundles.length, chunk, from, to };
      let end = 0;
      hasher.hash(frame, Uint32Array.from(bundles.map(({ length }) => (end += length))));
      const read = new HashedFrame(frame);
      for (const [k, message] of messages.entries()) {
        same(read.messageHashes(k, k + 1), twin.messageHash(serverId, message), `message ${k}`);
        same(chunk.bytes.subarray(read.from(k), read.to(k)), bundles[k]!, `bundle ${k}`);
        const at = read.leavesAt(k);
        assert.is(at === 0, leaves[k]!.length === 0, `leaves ${k}`);
        const expected = leaves[k]!.map((each) => twin.recipientLeafHash(twin.recipientLeaf(each)));
        same(
          chunk.bytes.subarray(at, at + expected.length * HASH_BYTES),
          Buffer.concat(expected),
          `leaves ${k}`,
        );
      }
    }),
    runOptions(60, 10),
  );
});

const entry = fc.record({ inbox: u16, index: u32, messageHash: hash });
const counts = fc.oneof(fc.nat(5), fc.constantFrom(62, 63, 64, 127, 128)).map((more) => more + 1);
const mailboxes = fc.array(
  counts.chain((count) =>
    fc.record({
      entries: fc.array(entry, { minLength: count, maxLength: count }),
      head: hash,
      lastEpoch: fc.nat(),
      total: fc.oneof(fc.nat(), fc.integer({ min: 2 ** 32 - 3, max: 2 ** 40 })),
    }),
  ),
  { minLength: 1, maxLength: 12 },
);

test('links of one part or more, and the tree over them', () => {
  fc.assert(
    fc.property(mailboxes, (all) => {
      const ids = all.map((_, i) => named(`mailbox ${i}`)).sort(Buffer.compare);
      const chains = all.map(({ lastEpoch, total, head }) => ({
        ...{ lastEpoch: BigInt(lastEpoch), total: BigInt(total), head, trimmedThrough: 0n },
      }));
      const epoch = 2 ** 33 + 5;
      const expected = all.map(({ entries }, i) =>
        twin.linksOf(ids[i]!, BigInt(epoch), chains[i]!, entries).map((link) => twin.H(twin.linkLeaf(link))),
      );
      const rows = all.flatMap(({ entries }) => entries);
      const leaves = expected.flat();
      const block = new Uint8Array(linksBytes(all.length, leaves.length, rows.length)).fill(7);
      const links = Links.create(block, epoch, all.length, leaves.length, rows.length);
      let row = 0;
      let leaf = 0;
      for (const [i, { lastEpoch, total, head, entries }] of all.entries()) {
        const chain = new ChainView();
        chain.set({ lastEpoch, total, head, links: 0, own: 0, bytes: 0 });
        links.putHeader(i, viewOf(ids[i]!), 0, leaf, chain, row, entries.length);
        for (const { inbox, index, messageHash } of entries)
          links.putRow(row++, viewOf(twin.join(twin.u16(inbox), twin.u32(index), messageHash)), 0, 0, 0);
        leaf += expected[i]!.length;
      }
      hashLinks(links);
      same(links.leafHashes, Buffer.concat(leaves), 'leaves');
      same(treeRoot(treeOver(links.leafHashes)), twin.root(leaves), 'root');
    }),
    runOptions(60, 10),
  );
});

test('trees of every size up to 70', () => {
  const leaves = inputs(32, 70);
  for (let size = 0; size <= 70; size++)
    same(
      treeRoot(treeOver(Buffer.concat(leaves.slice(0, size)))),
      twin.root(leaves.slice(0, size)),
      `${size}`,
    );
});

test.run();
