/** Packed bodies: each message once, with the leaf hashes of its recipients behind it, and room for all of them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BodyPacker } from '../src/actors/body-packer.js';
import { FrameHasher } from '../src/actors/frame-hasher.js';
import { HashedFrame, hashedBytes } from '../src/actors/hashed-frame.js';
import { InboxQueue } from '../src/actors/inbox-queue.js';
import { Memory } from '../src/actors/memory.js';
import { NO_PLACE, UNSIGNED, viewOf } from '../src/protocol/index.js';
import * as twin from './twin/index.js';
import { named } from './worlds.js';

const SENDER = named('sender');

function messageTo(recipients: number, counter: number): twin.Message {
  const mailboxes = Array.from({ length: recipients }, (_, i) => named(`mailbox ${i}`)).sort(Buffer.compare);
  return {
    sender: SENDER,
    counter: BigInt(counter),
    recipients: mailboxes.map((mailbox) => ({
      mailbox,
      blinder: named(`${counter}`).subarray(0, 16),
      envelope: Buffer.alloc(0),
    })),
    body: Buffer.alloc(counter % 7, counter),
  };
}

test('a message is followed by its leaf hashes, however many recipients all of them have', () => {
  const messages = [1, 40, 2, 60, 1, 50].map((recipients, i) => messageTo(recipients, i + 1));
  const bundles = messages.map((message) => twin.bundleBytes(message));
  const bytes = Buffer.concat([...bundles, Buffer.alloc(hashedBytes(bundles.length, 152))]);
  const chunk = { id: 1, bytes: new Uint8Array(bytes) };
  const to = bytes.length - hashedBytes(bundles.length, 152);
  const shape = { connection: 1, slot: 0, sender: SENDER, firstCounter: 1, signature: null, items: 160 };
  const frame = { ...shape, count: bundles.length, chunk, from: 0, to };
  let end = 0;
  new FrameHasher(named('server')).hash(
    frame,
    Uint32Array.from(bundles.map(({ length }) => (end += length))),
  );

  const memory = new Memory();
  const queue = new InboxQueue(memory, 0);
  queue.countFrame(frame);
  queue.startRun(frame, SENDER.toString('latin1'), 1, false);
  for (let k = 0; k < frame.count; k++) queue.add(new HashedFrame(frame), k, viewOf(UNSIGNED), NO_PLACE);
  const packer = new BodyPacker(memory, [queue.batch()]);
  const order = [3, 0, 5, 1, 3, 4, 2];
  const places = order.map((k) => packer.put(0, k));
  assert.is(places[4], places[0], 'once');
  const packed = [3, 0, 5, 1, 4, 2].map((k) => {
    const leaves = messages[k]!.recipients.map((each) => twin.recipientLeafHash(twin.recipientLeaf(each)));
    const head = [SENDER, twin.u64(BigInt(k + 1)), twin.u32(bundles[k]!.length), bundles[k]!];
    return Buffer.concat([...head, ...(leaves.length > 1 ? leaves : [])]);
  });
  assert.equal(Buffer.from(packer.done()), Buffer.concat(packed));
});

test.run();
