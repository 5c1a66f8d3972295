/** Claims, deliveries and control frames: the fast code against the slow twin and the byte tables. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as bundle from '../src/protocol/bundle.js';
import { encodeSubmit } from '../src/protocol/bundle-encode.js';
import { decodeSubmitHeader } from '../src/protocol/bundle-field.js';
import { SUBMIT_HEADER_BYTES } from '../src/protocol/bundle-layout.js';
import { viewOf } from '../src/protocol/bytes.js';
import * as claims from '../src/protocol/claim.js';
import * as delivery from '../src/protocol/delivery.js';
import { putDeliverHead, putReceivedEntry, putSentEntry } from '../src/protocol/delivery-fields.js';
import { FrameWriter } from '../src/protocol/frame-writer.js';
import * as frames from '../src/protocol/frames.js';
import { frameFromJson, frameToJson } from '../src/protocol/json.js';
import * as manifest from '../src/protocol/manifest.js';
import * as placed from '../src/protocol/placed.js';
import { base, bytes, bytesUpTo, change, checkCodec, hash, refused, same, u16, u32, u64 } from './checks.js';
import { claimCases } from './support/claim-cases.js';
import { leavesOf } from './support/leaves.js';
import { checkClaim } from './twin/claim-check.js';
import * as twin from './twin/index.js';
import {
  epochInput,
  keyPair,
  named,
  queuesOf,
  runOptions,
  type Shape,
  shapes,
  type World,
  worldOf,
} from './worlds.js';

const claim = suite('differential: claims');

/** Every leaf of every output of an epoch, as a claim under a checkpoint over a longer log. */
function claimsOf(world: World, result: twin.EpochResult, before: number, after: number): twin.Claim[] {
  const epochHash = twin.H(result.epochLeaf);
  const others = (name: string, n: number) => Array.from({ length: n }, (_, i) => named(`${name} ${i}`));
  const log = [...others('before', before), epochHash, ...others('after', after)];
  const root = twin.root(log);
  const size = BigInt(log.length);
  const text = twin.ascii(twin.checkpointText(world.serverId, size, root));
  const checkpoint = { size, root, signature: twin.sign(world.sequencerSecret, text) };
  const actorLeaves = result.attestations.map((a) => twin.H(twin.actorLeaf(a.attestationHash, a.signature)));
  const outputsOf = ({ role, index }: twin.Signed): Buffer[][] => {
    if (role === twin.INBOX) return [result.inboxPages[index]!];
    if (role === twin.ROUTER) return result.routerPages[index]!;
    if (role === twin.RECEIVER) return [result.receiverPages[index]!];
    return [result.outboxLeaves[index]!];
  };
  return result.attestations.flatMap((attestation, position) =>
    outputsOf(attestation).flatMap((leaves, output) =>
      leaves.map((leaf, leafIndex) => ({
        leaf,
        output,
        leafIndex,
        outputPath: twin.inclusionPath(
          leafIndex,
          leaves.map((one) => twin.H(one)),
        ),
        attestation: attestation.signed,
        signature: attestation.signature,
        actorPath: twin.inclusionPath(position, actorLeaves),
        epochLeaf: result.epochLeaf,
        logIndex: BigInt(before),
        logPath: twin.inclusionPath(before, log),
        checkpoint,
      })),
    ),
  );
}

/** The manifest is read once: checking its keys takes longer than all the rest. */
function verifierOf(world: World): (encoded: Uint8Array) => claims.Statement {
  const bytes = twin.manifestBytes(world.manifest);
  const decoded = manifest.decodeManifest(bytes);
  const hash = manifest.manifestHash(bytes);
  return (encoded) => claims.verifyClaim(claims.decodeClaim(encoded), world.serverId, decoded, hash);
}

claim('every leaf of a random epoch is a claim that verifies', () => {
  fc.assert(
    fc.property(
      shapes,
      fc.nat(20),
      fc.nat(20),
      fc.array(change, { maxLength: 3 }),
      (shape, b, a, changes) => {
        const world = worldOf(shape);
        const result = twin.runEpoch(epochInput(world, shape, queuesOf(world, shape), BigInt(b + 1), []));
        const all = claimsOf(world, result, b, a);
        const verify = verifierOf(world);
        // All of a small epoch, some of a large one.
        for (const one of all.filter((_, i) => i % Math.ceil(all.length / 12) === 0)) {
          const encoded = twin.claimBytes(one);
          checkCodec(encoded, claims.decodeClaim, claims.encodeClaim, changes);
          const statement = verify(encoded);
          same(statement.leaf, one.leaf);
          assert.equal([statement.output, statement.leafIndex], [one.output, one.leafIndex]);
          assert.is(statement.epochLeaf.epoch, b + 1);
        }
      },
    ),
    runOptions(15),
  );
});

const TWO_BY_TWO: Shape = {
  inboxes: 2,
  outboxes: 2,
  mailboxes: 5,
  bundles: Array.from({ length: 6 }, (_, i) => ({
    sender: i,
    recipients: [i + 1, i + 2],
    body: 3,
    envelope: 2,
    signed: false,
  })),
  asked: [0, 1, 2, 3, 4],
  moved: [],
};

claim('every changed byte defeats it', () => {
  const world = worldOf(TWO_BY_TWO);
  const result = twin.runEpoch(epochInput(world, TWO_BY_TWO, queuesOf(world, TWO_BY_TWO), 4n, []));
  const all = claimsOf(world, result, 3, 5);
  const verify = verifierOf(world);
  // One claim per role: each kind of leaf, with paths of several lengths.
  for (const role of [twin.INBOX, twin.ROUTER, twin.RECEIVER, twin.OUTBOX]) {
    const one = all.findLast((candidate) => candidate.attestation[26 + 32] === role)!;
    const encoded = twin.claimBytes(one);
    verify(encoded);
    for (let at = 0; at < encoded.length; at++) {
      const changed = Buffer.from(encoded);
      changed[at]! ^= 1 << (at % 8);
      refused(() => verify(changed), `role ${role}, byte ${at}`);
    }
  }
});

claim('of claims at the edges both say whether they hold', () => {
  for (const { name, holds, bytes, serverId, manifest: signed } of claimCases()) {
    const known = manifest.decodeManifest(signed);
    const actors = known.actors.filter(({ role }) => role !== twin.SEQUENCER);
    const sequencerKeys = [known.actors.find(({ role }) => role === twin.SEQUENCER)!.key];
    const read = claims.decodeClaim(bytes);
    const verify = () => claims.verifyClaim(read, serverId, known, serverId);
    const again = () => checkClaim(bytes, { serverId, manifestHash: serverId, actors, sequencerKeys });
    // The twin reads claims with a leaf.
    for (const each of read.leaf.length > 0 ? [verify, again] : [verify]) {
      if (holds) assert.not.throws(each, name);
      else assert.throws(each);
    }
  }
});

claim.run();

const deliveries = suite('differential: deliveries');

const anyMessage: fc.Arbitrary<twin.Message> = fc.record({
  sender: hash,
  counter: u64,
  body: bytesUpTo(60),
  recipients: fc
    .uniqueArray(fc.record({ mailbox: hash, blinder: bytes(16), envelope: bytesUpTo(20) }), {
      minLength: 1,
      maxLength: 60,
      size: 'max',
      selector: (recipient) => twin.hex(recipient.mailbox),
    })
    .map((all) => all.toSorted((a, b) => Buffer.compare(a.mailbox, b.mailbox))),
});

function fastReceived(inbox: number, index: number, message: twin.Message, position: number): Uint8Array {
  const encoded = twin.bundleBytes(message);
  const cursor = new bundle.BundleCursor({ recipients: 1_000, bodyBytes: 1_000, envelopeBytes: 1_000 });
  cursor.parse(encoded, 0, encoded.length);
  const out = new FrameWriter(1);
  const sender = viewOf(twin.join(Buffer.alloc(2), message.sender));
  const leaves = leavesOf(cursor);
  putReceivedEntry(out, inbox, index, sender, 2, Number(message.counter), cursor, leaves, position);
  return out.done();
}

deliveries('sent and received entries', () => {
  fc.assert(
    fc.property(u16, u32, anyMessage, fc.nat(), (inbox, index, message, n) => {
      const position = n % message.recipients.length;
      const received = twin.receivedEntry(inbox, index, message, position);
      same(fastReceived(inbox, index, message, position), received);
      const messageHash = twin.messageHash(named('server'), message);
      const out = new FrameWriter(1);
      const shifted = viewOf(twin.join(Buffer.alloc(5), messageHash));
      putSentEntry(out, inbox, index, Number(message.counter), shifted, 5);
      same(out.done(), twin.sentEntry(inbox, index, message.counter, messageHash));
    }),
    runOptions(100),
  );
});

/** In JSON and back it is the same frame; also with other white space and members the other way round. */
function throughJson(frame: Uint8Array): void {
  const text = frameToJson(frame);
  same(frameFromJson(text), frame, 'through JSON');
  const turned = JSON.stringify(JSON.parse(text), (_, value) => turnedRound(value), 2);
  same(frameFromJson(turned), frame, 'through JSON that others wrote');
}

function turnedRound(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).reverse());
}

const hashes = (most: number) => fc.array(hash, { maxLength: most });
const logProof = fc.oneof(
  fc
    .record({ at: u64, from: u64, signature: bytes(64), gap: hashes(5) })
    .map(({ at, from, signature, gap }) => ({
      bytes: twin.join(twin.u8(0), twin.u64(at), twin.u64(from), signature, twin.hashList(gap)),
      fast: { mode: 0, logIndex: Number(at), from: Number(from), signature, gap: twin.join(...gap) } as const,
    })),
  fc.record({ at: u64, size: u64, path: hashes(5) }).map(({ at, size, path }) => ({
    bytes: twin.join(twin.u8(1), twin.u64(at), twin.u64(size), twin.hashList(path)),
    fast: { mode: 1, logIndex: Number(at), size: Number(size), path: twin.join(...path) } as const,
  })),
);
const epochPart = fc.record({
  epoch: u64,
  previousEpoch: u64,
  base,
  manifestHash: hash,
  placementRoot: hash,
  inputs: hash,
  entries: u32,
  leaves: u32,
  signature: bytes(64),
  actorPath: hashes(6),
});
type EpochPart = typeof epochPart extends fc.Arbitrary<infer T> ? T : never;

function epochPartBytes(part: EpochPart): Buffer {
  return twin.join(
    twin.u64(part.epoch),
    twin.u64(part.previousEpoch),
    twin.u64(part.base.size),
    part.base.root,
    part.manifestHash,
    part.placementRoot,
    part.inputs,
    twin.u32(part.entries),
    twin.u32(part.leaves),
    part.signature,
    twin.hashList(part.actorPath),
  );
}

const entry = fc.oneof(
  fc.tuple(u16, u32, u64, hash).map((sent) => twin.sentEntry(...sent)),
  fc
    .tuple(u16, u32, anyMessage, fc.nat())
    .map(([inbox, index, message, n]) =>
      twin.receivedEntry(inbox, index, message, n % message.recipients.length),
    ),
);
/** slot 2 ‖ position 4 ‖ kind 1 ‖ link (1): entries 4 ‖ entries, or still (2): trimmed through 8 */
const mailbox = fc.oneof(
  fc
    .tuple(u16, u32, fc.array(entry, { minLength: 1, maxLength: 4 }))
    .map(([slot, position, entries]) =>
      twin.join(twin.u16(slot), twin.u32(position), twin.u8(1), twin.u32(entries.length), ...entries),
    ),
  fc
    .tuple(u16, u32, u64)
    .map(([slot, position, trimmed]) =>
      twin.join(twin.u16(slot), twin.u32(position), twin.u8(2), twin.u64(trimmed)),
    ),
);

/** A decoded frame back into bytes, by the table. */
function encodeDeliver(frame: delivery.Deliver): Uint8Array {
  const out = new FrameWriter(1);
  putDeliverHead(out, frame.proof, frame.epoch);
  out.u16(frame.mailboxes.length);
  for (const one of frame.mailboxes) {
    out.u16(one.slot).u32(one.position).u8(one.kind);
    if (one.kind === delivery.MAILBOX_KIND.still) out.u64(one.trimmedThrough);
    else {
      out.u32(one.entries.length);
      for (const e of one.entries) out.bytes(encodeEntry(e));
    }
  }
  return out
    .u32(frame.multiproof.length / 32)
    .bytes(frame.multiproof)
    .done();
}

function encodeEntry(e: delivery.DeliveredEntry): Uint8Array {
  const out = new FrameWriter(1).u16(e.inbox).u32(e.index).u8(e.kind);
  if (e.kind === delivery.ENTRY_KIND.sent) return out.u64(e.counter).bytes(e.messageHash).done();
  out.bytes(e.sender).u64(e.counter).u16(e.recipients).u16(e.position).bytes(e.blinder);
  out.u8(e.siblings.length / 32).bytes(e.siblings);
  out.u32(e.envelope.length).bytes(e.envelope);
  return out.u32(e.body.length).bytes(e.body).done();
}

deliveries('random deliver frames', () => {
  const mailboxes = fc.array(mailbox, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(
      logProof,
      epochPart,
      mailboxes,
      hashes(8),
      fc.array(change, { maxLength: 8 }),
      (log, part, boxes, proof, changes) => {
        const head = twin.join(twin.u8(0x84), log.bytes, epochPartBytes(part));
        const out = new FrameWriter(1);
        putDeliverHead(out, log.fast, {
          ...part,
          epoch: Number(part.epoch),
          previousEpoch: Number(part.previousEpoch),
          base: { size: Number(part.base.size), root: part.base.root },
          actorPath: twin.join(...part.actorPath),
        });
        same(out.done(), head);
        const tail = [twin.u16(boxes.length), ...boxes, twin.u32(proof.length), ...proof];
        throughJson(twin.join(head, ...tail));
        checkCodec(twin.join(head, ...tail), delivery.decodeDeliver, encodeDeliver, changes);
      },
    ),
    runOptions(60),
  );
});

deliveries.run();

const control = suite('differential: control frames');

const slot = u16;
const number64 = u64.map(Number);
const T = (value: number) => twin.u64(BigInt(value));

/** One frame kind: random values, their bytes and their JSON by the tables, encoder and decoder. */
function frameCase<V>(
  name: string,
  values: fc.Arbitrary<V>,
  table: (value: V) => Buffer[],
  json: (value: V) => object,
  encode: (value: V) => Uint8Array,
  decode: (frame: Uint8Array) => V,
): void {
  control(name, () => {
    fc.assert(
      fc.property(values, fc.array(change, { maxLength: 8 }), (value, changes) => {
        same(encode(value), twin.join(...table(value)));
        assert.equal(JSON.parse(frameToJson(encode(value))), json(value));
        throughJson(encode(value));
        checkCodec(encode(value), decode, encode, changes);
      }),
      runOptions(60),
    );
  });
}

/** A size of 0 means none and goes with zeros alone. */
const checkpoint = fc
  .record({ size: number64, root: hash, signature: bytes(64) })
  .map((c) => (c.size > 0 ? c : { size: 0, root: Buffer.alloc(32), signature: Buffer.alloc(64) }));
const kind = fc.constantFrom<1 | 2>(1, 2);
const many = <V>(one: fc.Arbitrary<V>) => fc.array(one, { maxLength: 5 });
const b64 = (value: Uint8Array) => Buffer.from(value).toString('base64url');
const shown = ({ recipients, body }: twin.Message) => ({
  recipients: recipients.map(({ mailbox, blinder, envelope }) => {
    return { mailbox: b64(mailbox), blinder: b64(blinder), envelope: b64(envelope) };
  }),
  body: b64(body),
});
const listOf = <V>(type: number, values: V[], table: (value: V) => Buffer[]) => [
  twin.u8(type),
  twin.u16(values.length),
  ...values.flatMap(table),
];

frameCase(
  'hello',
  fc.record({ kind, nonce: hash, checkpoint }),
  (v) => [
    twin.u8(1),
    twin.u8(v.kind),
    v.nonce,
    T(v.checkpoint.size),
    v.checkpoint.root,
    v.checkpoint.signature,
  ],
  (v) => ({
    type: 'hello',
    kind: v.kind,
    nonce: b64(v.nonce),
    checkpoint: {
      size: `${v.checkpoint.size}`,
      root: b64(v.checkpoint.root),
      signature: b64(v.checkpoint.signature),
    },
  }),
  frames.encodeHello,
  frames.decodeHello as never,
);

frameCase(
  'challenge',
  fc.record({ serverId: hash, challenge: hash, manifestHash: hash }),
  (v) => [twin.u8(0x81), v.serverId, v.challenge, v.manifestHash],
  (v) => ({
    type: 'challenge',
    serverId: b64(v.serverId),
    challenge: b64(v.challenge),
    manifestHash: b64(v.manifestHash),
  }),
  frames.encodeChallenge,
  frames.decodeChallenge as never,
);

frameCase(
  'session',
  many(fc.record({ key: hash, acknowledged: number64, signature: bytes(64) })),
  (all) => listOf(2, all, (v) => [v.key, T(v.acknowledged), v.signature]),
  (all) => ({
    type: 'session',
    mailboxes: all.map((v) => {
      return { key: b64(v.key), acknowledged: `${v.acknowledged}`, signature: b64(v.signature) };
    }),
  }),
  frames.encodeSession,
  frames.decodeSession as never,
);

frameCase(
  'opened',
  many(fc.record({ error: u16, lastCounter: number64, lastEpoch: number64, total: number64, head: hash })),
  (all) =>
    listOf(0x82, all, (v) => [twin.u16(v.error), T(v.lastCounter), T(v.lastEpoch), T(v.total), v.head]),
  (all) => ({
    type: 'opened',
    mailboxes: all.map((v) => ({
      error: v.error,
      lastCounter: `${v.lastCounter}`,
      lastEpoch: `${v.lastEpoch}`,
      total: `${v.total}`,
      head: b64(v.head),
    })),
  }),
  frames.encodeOpened,
  frames.decodeOpened as never,
);

frameCase(
  'placed',
  fc.record({
    slot,
    epoch: number64,
    inbox: u16,
    messages: many(fc.record({ counter: number64, index: u32 })),
  }),
  (v) => [
    ...[twin.u8(0x83), twin.u16(v.slot), T(v.epoch), twin.u16(v.inbox), twin.u16(v.messages.length)],
    ...v.messages.flatMap((m) => [T(m.counter), twin.u32(m.index)]),
  ],
  (v) => ({
    type: 'placed',
    slot: v.slot,
    epoch: `${v.epoch}`,
    inbox: v.inbox,
    messages: v.messages.map(({ counter, index }) => ({ counter: `${counter}`, index })),
  }),
  placed.encodePlaced,
  placed.decodePlaced as never,
);

frameCase(
  'ack',
  many(fc.record({ slot, epoch: number64 })),
  (all) => listOf(4, all, (v) => [twin.u16(v.slot), T(v.epoch)]),
  (all) => ({ type: 'ack', acks: all.map((v) => ({ slot: v.slot, epoch: `${v.epoch}` })) }),
  frames.encodeAck,
  frames.decodeAck as never,
);

frameCase(
  'ask still',
  many(slot),
  (all) => listOf(5, all, (v) => [twin.u16(v)]),
  (all) => ({ type: 'askStill', slots: all }),
  frames.encodeAskStill,
  frames.decodeAskStill as never,
);

frameCase(
  'checkpoint',
  fc.record({
    from: number64,
    to: number64,
    signature: bytes(64),
    gap: hashes(5).map((h) => twin.join(...h)),
  }),
  (v) => [twin.u8(0x85), T(v.from), T(v.to), v.signature, twin.u8(v.gap.length / 32), v.gap],
  (v) => ({
    type: 'checkpoint',
    from: `${v.from}`,
    to: `${v.to}`,
    signature: b64(v.signature),
    gap: twin.partsOf(32, [...v.gap]).map((each) => b64(Uint8Array.from(each))),
  }),
  frames.encodeCheckpoint,
  frames.decodeCheckpoint as never,
);

frameCase(
  'end of backlog',
  fc.record({ slot, epoch: number64 }),
  (v) => [twin.u8(0x86), twin.u16(v.slot), T(v.epoch)],
  (v) => ({ type: 'endOfBacklog', slot: v.slot, epoch: `${v.epoch}` }),
  frames.encodeEndOfBacklog,
  frames.decodeEndOfBacklog as never,
);

frameCase(
  'error',
  fc.record({
    number: u16,
    slot,
    firstCounter: number64,
    count: u16,
    expected: number64,
    retryAfterMs: u32,
    mailbox: hash,
    text: fc.string({ unit: 'grapheme-ascii', maxLength: 512 }),
  }),
  (v) => [
    ...[twin.u8(0x87), twin.u16(v.number), twin.u16(v.slot), T(v.firstCounter), twin.u16(v.count)],
    ...[T(v.expected), twin.u32(v.retryAfterMs), v.mailbox, twin.u16(v.text.length), twin.ascii(v.text)],
  ],
  (v) => ({
    type: 'error',
    number: v.number,
    slot: v.slot,
    firstCounter: `${v.firstCounter}`,
    count: v.count,
    expected: `${v.expected}`,
    retryAfterMs: v.retryAfterMs,
    mailbox: b64(v.mailbox),
    text: v.text,
  }),
  frames.encodeError,
  frames.decodeError as never,
);

control('submit: header, then the bundles as they are', () => {
  const counters = u64.filter((counter) => counter > 0n && counter < 2n ** 53n - 4n);
  fc.assert(
    fc.property(
      slot,
      counters,
      fc.array(anyMessage, { minLength: 1, maxLength: 3 }),
      fc.option(fc.uint8Array({ minLength: 64, maxLength: 64 })),
      (at, first, messages, signature) => {
        const bundles = messages.map(twin.bundleBytes);
        const frame = encodeSubmit(at, Number(first), bundles, signature ?? undefined);
        const header = twin.join(
          twin.u8(3),
          twin.u16(at),
          twin.u8(signature ? 1 : 0),
          twin.u64(first),
          ...(signature ? [signature] : []),
          twin.u16(bundles.length),
        );
        same(frame, twin.join(header, ...bundles));
        throughJson(frame);
        const json = {
          type: 'submit',
          slot: at,
          flags: signature ? 1 : 0,
          firstCounter: `${first}`,
          ...(signature && { signature: Buffer.from(signature).toString('base64url') }),
          bundles: messages.map(shown),
        };
        assert.equal(JSON.parse(frameToJson(frame)), json);
        const { signature: read, ...rest } = decodeSubmitHeader(frame);
        const numbers = { slot: at, firstCounter: Number(first), count: bundles.length };
        assert.equal(rest, { ...numbers, bundlesAt: header.length });
        assert.equal(read && Buffer.from(read), signature && Buffer.from(signature));
        if (!signature) assert.is(header.length, SUBMIT_HEADER_BYTES);
      },
    ),
    runOptions(40),
  );
  const one = twin.bundleBytes(fc.sample(anyMessage, { numRuns: 1, seed: 3 })[0]!);
  refused(() => decodeSubmitHeader(encodeSubmit(0, 0, [one])), 'counter 0');
  refused(() => decodeSubmitHeader(encodeSubmit(0, 1, [])), 'no bundle');
  const signed = encodeSubmit(0, 1, [one], new Uint8Array(64));
  refused(() => decodeSubmitHeader(signed.subarray(0, 77)), 'a signature cut short');
  signed[3] = 2;
  refused(() => decodeSubmitHeader(signed), 'a flag that is not known');
});

control('placed runs are the placed frame of their messages', () => {
  const run = fc.record({ firstCounter: fc.nat(2 ** 31), firstIndex: fc.nat(2 ** 31), count: fc.nat(5) });
  fc.assert(
    fc.property(slot, number64, u16, many(run), (at, epoch, inbox, runs) => {
      const messages = runs.flatMap(({ firstCounter, firstIndex, count }) =>
        Array.from({ length: count }, (_, i) => ({ counter: firstCounter + i, index: firstIndex + i })),
      );
      const frame = placed.encodePlaced({ slot: at, epoch, inbox, messages });
      same(placed.encodePlacedRuns(at, epoch, inbox, runs), frame);
    }),
    runOptions(40),
  );
});

control('an error text is cut and made printable', () => {
  const base = { number: 1, slot: 0, firstCounter: 0, count: 0, expected: 0, retryAfterMs: 0 };
  const text = (given: string) => frames.decodeError(frames.encodeError({ ...base, text: given })).text;
  assert.is(text('a\nb\u00e9\u2014'), 'a?b??');
  assert.is(text('x'.repeat(600)).length, 512);
});

control('each decoder refuses the other frames', () => {
  const zero = twin.ZERO_32;
  const all: [Uint8Array, (frame: Uint8Array) => unknown][] = [
    [
      frames.encodeChallenge({ serverId: zero, challenge: zero, manifestHash: keyPair('x').id }),
      frames.decodeChallenge,
    ],
    [frames.encodeSession([]), frames.decodeSession],
    [frames.encodeOpened([]), frames.decodeOpened],
    [frames.encodeAck([]), frames.decodeAck],
    [frames.encodeAskStill([]), frames.decodeAskStill],
    [frames.encodeEndOfBacklog({ slot: 0, epoch: 1 }), frames.decodeEndOfBacklog],
  ];
  for (const [i, [frame]] of all.entries()) {
    for (const [j, [, decode]] of all.entries()) {
      if (i === j) decode(frame);
      else refused(() => decode(frame), `${i} as ${j}`);
    }
  }
});

control.run();
