/** What request handlers let into an epoch, and what they refuse before it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HashedFrame, hashedBytes } from '../src/actors/hashed-frame.js';
import type { MailboxDirectory } from '../src/actors/mailbox-directory.js';
import type { ActorMessage, Submit } from '../src/actors/messages.js';
import { Submissions } from '../src/actors/submissions.js';
import { decodeSubmitHeader, encodeBundle, encodeSubmit, SUBMISSIONS } from '../src/protocol/index.js';
import * as twin from './twin/index.js';
import { named } from './worlds.js';

const LIMITS = {
  recipients: 4,
  bodyBytes: 100,
  envelopeBytes: 10,
  bundlesPerFrame: 8,
  messagesPerEpoch: 20,
  bytesPerEpoch: 4000,
  entriesPerEpoch: 80,
};
const known = new Set(['ann', 'bob', 'cid', 'dan'].map((name) => named(name).toString('hex')));
const full = new Set<string>();
const directory = {
  has: (bytes: Uint8Array, at: number) => known.has(Buffer.from(bytes.subarray(at, at + 32)).toString('hex')),
  isFull: (bytes: Uint8Array, at: number) =>
    full.has(Buffer.from(bytes.subarray(at, at + 32)).toString('hex')),
  mustNotSend: () => false,
} as unknown as MailboxDirectory;

function submissions(policy: number = SUBMISSIONS.off, limits = LIMITS) {
  const sent: Submit[] = [];
  const take = (_: unknown, message: ActorMessage) => sent.push(message as Submit);
  return { sent, all: new Submissions(named('server'), 1, limits, directory, policy, take) };
}

const origin = { connection: 1, slot: 0, sender: named('ann'), inbox: 0, lastCounter: 0 };
const bundle = (to: string[], bytes = 10, envelope = '') => {
  const recipients = to.map((name) => ({ mailbox: named(name), envelope: Buffer.from(envelope) }));
  return encodeBundle(recipients, new Uint8Array(bytes), named('roster'));
};
const submit = (all: Submissions, first: number, bundles: Uint8Array[]) => {
  const frame = encodeSubmit(0, first, bundles);
  return all.take(origin, decodeSubmitHeader(frame), frame);
};
const codes = (refusals: { code: string; firstCounter: number; count: number }[]) =>
  refusals.map(({ code, firstCounter, count }) => `${code} ${firstCounter}+${count}`);

test('a whole frame goes to the inbox, one message per turn', () => {
  const { all, sent } = submissions();
  assert.equal(submit(all, 1, [bundle(['bob']), bundle(['bob', 'cid'])]), []);
  assert.equal(submit(all, 3, [bundle(['dan'])]), []);
  all.flush();
  all.flush();
  assert.is(sent.length, 1);
  assert.equal(
    sent[0]!.frames.map(({ firstCounter, count, items }) => [firstCounter, count, items]),
    [
      [1, 2, 5],
      [3, 1, 2],
    ],
  );
});

test('an unknown mailbox refuses its bundle; what is behind it in the frame is a gap', () => {
  const { all, sent } = submissions();
  const refusals = submit(all, 5, [bundle(['bob']), bundle(['eve']), bundle(['cid']), bundle(['dan'])]);
  assert.equal(codes(refusals), ['no-such-mailbox 6+1', 'counter-gap 7+2']);
  assert.is(Buffer.from(refusals[0]!.mailbox!).toString('hex'), named('eve').toString('hex'));
  all.flush();
  assert.equal(
    sent[0]!.frames.map(({ firstCounter, count }) => [firstCounter, count]),
    [[5, 1]],
  );
});

test('a full mailbox refuses what is new; what was taken in before is let through, to be told its place', () => {
  const { all, sent } = submissions();
  full.add(named('bob').toString('hex'));
  const frame = encodeSubmit(0, 5, [bundle(['bob']), bundle(['bob']), bundle(['bob'])]);
  const refusals = all.take({ ...origin, lastCounter: 6 }, decodeSubmitHeader(frame), frame);
  full.clear();
  assert.equal(codes(refusals), ['mailbox-full 7+1']);
  all.flush();
  assert.equal(
    sent[0]!.frames.map(({ firstCounter, count }) => [firstCounter, count]),
    [[5, 2]],
  );
});

test('sizes: body, recipients, bundles in a frame; trailing bytes end the connection', () => {
  const { all } = submissions();
  assert.equal(codes(submit(all, 1, [bundle(['bob'], 101)])), ['bundle-too-large 1+1']);
  assert.equal(codes(submit(all, 1, [bundle(['bob', 'cid', 'dan', 'ann', 'eve'])])), [
    'bundle-too-large 1+1',
  ]);
  assert.equal(codes(submit(all, 1, Array(9).fill(bundle(['bob'])))), ['too-many-bundles 1+9']);
  const frame = encodeSubmit(0, 1, [bundle(['bob']), Uint8Array.of(0)]).slice();
  frame[13] = 1;
  assert.throws(() => all.take(origin, decodeSubmitHeader(frame), frame), /trailing/);
});

test('a bundle whose envelope has another hash is malformed, and its counter is free', () => {
  const { all, sent } = submissions();
  const bad = bundle(['cid'], 10, 'sealed').slice();
  bad[2 + 89 + 4 + 8]! ^= 1;
  const refusals = submit(all, 1, [bundle(['bob'], 10, 'sealed'), bad, bundle(['dan'])]);
  assert.equal(codes(refusals), ['bundle-malformed 2+1', 'counter-gap 3+1']);
  all.flush();
  assert.equal(
    sent[0]!.frames.map(({ firstCounter, count }) => [firstCounter, count]),
    [[1, 1]],
  );
});

test('behind the bundles of each frame lie their hashes, as the twin makes them', () => {
  const { all, sent } = submissions();
  const shapes = [['bob'], ['bob', 'cid', 'dan'], ['dan'], ['ann', 'bob']];
  const messages = shapes.map((to, i) => ({
    sender: origin.sender,
    counter: BigInt(i + 1),
    recipients: to
      .map((name) => ({
        mailbox: named(name),
        blinder: named(`${i}`).subarray(0, 16),
        envelope: Buffer.alloc(i),
      }))
      .sort((a, b) => Buffer.compare(a.mailbox, b.mailbox)),
    body: Buffer.alloc(10 * i),
  }));
  const bundles = messages.map((message) => twin.bundleBytes(message));
  submit(all, 1, bundles.slice(0, 3));
  submit(all, 4, bundles.slice(3));
  all.flush();
  const frames = sent[0]!.frames.map((frame) => new HashedFrame(frame));
  const each = frames.flatMap((hashed) =>
    Array.from({ length: hashed.frame.count }, (_, k) => [hashed, k] as const),
  );
  assert.is(each.length, bundles.length);
  for (const [i, [hashed, k]] of each.entries()) {
    const { bytes } = hashed.frame.chunk;
    assert.equal(Buffer.from(bytes.subarray(hashed.from(k), hashed.to(k))), Buffer.from(bundles[i]!));
    const message = messages[i]!;
    assert.equal(
      Buffer.from(hashed.messageHashes(k, k + 1)),
      twin.messageHash(named('server'), message),
      `${i}`,
    );
    const leaves = message.recipients.map((recipient) =>
      twin.recipientLeafHash(twin.recipientLeaf(recipient)),
    );
    const [at, length] = [hashed.leavesAt(k), leaves.length > 1 ? 32 * leaves.length : 0];
    assert.is(at > 0, length > 0);
    assert.equal(Buffer.from(bytes.subarray(at, at + length)), Buffer.concat(length > 0 ? leaves : []));
  }
});

test('room: an epoch is full by messages, by bytes or by rows, and has room again when it is closed', () => {
  const { all, sent } = submissions();
  assert.ok(all.hasRoom(0, 5000, 30), 'an empty one takes any frame');
  for (let i = 0; i < 2; i++) submit(all, 1 + 8 * i, Array(8).fill(bundle(['bob'])));
  assert.ok(all.hasRoom(0, 100, 4));
  assert.not(all.hasRoom(0, 100, 5), 'messages');
  assert.not(all.hasRoom(0, 3000, 1), 'bytes');
  all.flush();
  all.taken(0, {
    bytes: sent[0]!.frames.reduce((sum, { from, to }) => sum + to - from, 0),
    messages: 16,
    items: 32,
  });
  for (let i = 0; i < 2; i++) submit(all, 1 + 8 * i, Array(8).fill(bundle(['bob', 'cid', 'dan', 'ann'], 0)));
  assert.not(all.hasRoom(0, 1, 1), 'rows: 80 of 80');
});

test('a signed frame is handed over as a whole or not at all, and only as the policy has it', () => {
  const signature = new Uint8Array(64).fill(9);
  const take = (policy: number, bundles: Uint8Array[], signed: Uint8Array | undefined) => {
    const { sent, all } = submissions(policy);
    const frame = encodeSubmit(0, 1, bundles, signed);
    const refusals = all.take(origin, decodeSubmitHeader(frame), frame);
    all.flush();
    return {
      handed: sent.flatMap(({ frames }) => frames.map((each) => [each.count, each.signature?.[0] ?? 0])),
      refused: refusals.map(({ code, firstCounter, count }) => `${code} ${firstCounter}+${count}`),
    };
  };
  const good = [bundle(['bob']), bundle(['cid'])];
  const bad = [bundle(['bob']), bundle(['eve']), bundle(['cid'])];
  const { off, accepted, required } = SUBMISSIONS;
  assert.equal(take(accepted, good, signature), { handed: [[2, 9]], refused: [] });
  assert.equal(take(accepted, good, undefined), { handed: [[2, 0]], refused: [] });
  assert.equal(take(required, good, signature), { handed: [[2, 9]], refused: [] });
  const all = { handed: [], refused: ['submission-refused 1+2'] };
  assert.equal(take(required, good, undefined), all);
  assert.equal(take(off, good, signature), all);
  const whole = ['no-such-mailbox 2+1', 'counter-gap 1+1', 'counter-gap 3+1'];
  assert.equal(take(accepted, bad, signature), { handed: [], refused: whole });
  const rest = ['no-such-mailbox 2+1', 'counter-gap 3+1'];
  assert.equal(take(accepted, bad, undefined), { handed: [[1, 0]], refused: rest });
  const sealed = bundle(['cid'], 10, 'sealed').slice();
  sealed[2 + 89 + 4 + 8]! ^= 1;
  const flawed = ['bundle-malformed 2+1', 'counter-gap 1+1', 'counter-gap 3+1'];
  assert.equal(take(accepted, [bad[0]!, sealed, bad[2]!], signature), { handed: [], refused: flawed });
});

test('frames lie in shared memory as they came, word by word, also where they fill it to the last byte', () => {
  const limits = { ...LIMITS, bodyBytes: 1 << 20 };
  for (let bytes = 200; bytes < 400; bytes++) {
    const { all, sent } = submissions(SUBMISSIONS.off, limits);
    // Together as much as one piece of it, a little less or a little more.
    const frames = [(1 << 20) - 600, bytes].map((size, i) => {
      const frame = encodeSubmit(0, i + 1, [bundle(['bob'], size)]);
      const shifted = new Uint8Array(frame.length + 7).subarray(3 + i);
      shifted.set(frame);
      return shifted.subarray(0, frame.length);
    });
    for (const frame of frames) assert.equal(all.take(origin, decodeSubmitHeader(frame), frame), []);
    all.flush();
    sent[0]!.frames.forEach(({ chunk, from, to }, i) => {
      const bundles = frames[i]!.subarray(decodeSubmitHeader(frames[i]!).bundlesAt);
      assert.is(Buffer.compare(chunk.bytes.subarray(from, to), bundles), 0);
      assert.is(from % 8, bundles.byteOffset % 8);
      assert.ok(to + hashedBytes(1, 0) <= chunk.bytes.length, 'its hashes, too');
    });
  }
});

test.run();
