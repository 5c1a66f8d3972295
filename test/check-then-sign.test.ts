/**
 * With `checks: everywhere` no stage signs what its neighbour, or a broken memory, has spoilt. One epoch
 * is taken up to the outboxes; then each stage is made anew for every single change to its input.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { ActorFault } from '../src/actors/attest.js';
import { leavesOf } from '../src/actors/batch.js';
import { BodyPacker } from '../src/actors/body-packer.js';
import { checkEpoch } from '../src/actors/epoch-check.js';
import { hashedBytes } from '../src/actors/hashed-frame.js';
import {
  type ActorMessage,
  type Address,
  address,
  type Items,
  type MessageBatch,
  type ReceiverItems,
  type RouterShare,
  WHERE,
} from '../src/actors/messages.js';
import {
  decodeAttestation,
  type EpochContext,
  encodeAttestation,
  getU16,
  hashPages,
  ITEM_ROW_BYTES,
  merkleRoot,
  pagesBytes,
  putPrefixes,
  putU16,
  putU32,
  RECEIVER_PREFIX,
  ROUTER_PREFIX,
  rowAt,
  SESSION_KIND,
  type SignedAttestation,
} from '../src/protocol/index.js';
import { Pipeline } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import * as twin from './twin/index.js';
import { FIRST, named, type Shape, STRIDE, worldOf } from './worlds.js';

// Two of everything. A client of each inbox sends: to all, to one, to itself.
const SHAPE: Shape = { inboxes: 2, outboxes: 2, mailboxes: 7, bundles: [], asked: [], moved: [] };
const world = worldOf(SHAPE);
const cluster = clusterOf(world);
const everyone = world.clients.map((_, i) => i);
const [a, b] = [0, 1].map(
  (inbox) => everyone.find((i) => world.placement(world.clients[i]!.id).inbox === inbox)!,
);
const SENT: { sender: number; recipients: number[] }[] = [
  { sender: a!, recipients: everyone },
  { sender: a!, recipients: [b!] },
  { sender: b!, recipients: everyone.filter((i) => i !== b) },
  { sender: b!, recipients: [a!, b!] },
];

function messageOf(counter: bigint, sender: number, recipients: number[]): twin.Message {
  return {
    sender: world.clients[sender]!.id,
    counter,
    recipients: recipients
      .map((i) => world.clients[i]!.id)
      .sort(Buffer.compare)
      .map((mailbox, i) => ({
        mailbox,
        blinder: twin.blinder(named('roster'), mailbox),
        envelope: Buffer.alloc(i % 3, 7),
      })),
    body: Buffer.alloc(5, sender),
  };
}

/** A pipeline whose epoch is closed and not committed. */
function closedEpoch(): Pipeline {
  const pipeline = new Pipeline(cluster, { checkInputs: true });
  for (const [slot, { id }] of world.clients.entries()) pipeline.open(id, SESSION_KIND.outbox, 1, slot);
  const counters = new Map<number, bigint>();
  for (const { sender, recipients } of SENT) {
    const counter = (counters.get(sender) ?? 0n) + 1n;
    counters.set(sender, counter);
    const { id } = world.clients[sender]!;
    const bundle = twin.bundleBytes(messageOf(counter, sender, recipients));
    const frames = [pipeline.frame(id, Number(counter), [bundle])];
    pipeline.tell(address('inbox', world.placement(id).inbox), { type: 'submit', frames });
  }
  pipeline.close();
  return pipeline;
}

const pipeline = closedEpoch();

/** What a new stage sends when it gets these messages. */
function outcome(to: Address, messages: readonly ActorMessage[]): ActorMessage[] {
  const sent: ActorMessage[] = [];
  const stage = pipeline.make(to.kind, to.index, (_, message) => sent.push(message));
  const before = pipeline.signatures;
  try {
    for (const message of messages) stage.handle(message);
  } catch (error) {
    assert.instance(error, ActorFault, (error as Error).stack);
    assert.is(pipeline.signatures, before, 'nothing is signed');
    assert.equal(sent, [], 'nothing is sent');
    return [];
  }
  return sent;
}

function refuses(to: Address, messages: readonly ActorMessage[], what: string): void {
  assert.equal(outcome(to, messages), [], what);
}

/** What of an outcome could do harm: what was signed, and what would be stored. */
function signedAndStored(sent: readonly ActorMessage[]): string[] {
  return sent.flatMap((message) => {
    if (message.type !== 'attested') return [];
    const { bytes, signature } = message.attestation;
    return [bytes, signature, ...message.records.map(({ value }) => value!)].map(twin.hex);
  });
}

/** Refuses, or does as if nothing were wrong. True when it refuses. */
function unharmed(to: Address, messages: readonly ActorMessage[], expected: string[], what: string): boolean {
  const sent = signedAndStored(outcome(to, messages));
  if (sent.length > 0) assert.equal(sent, expected, what);
  return sent.length === 0;
}

/** The bytes of a piece of memory, one at a time. */
function flipEach(bytes: Uint8Array, check: (at: number) => void): void {
  for (let at = FIRST; at < bytes.length; at += STRIDE) {
    bytes[at]! ^= 1 << (at % 8);
    try {
      check(at);
    } finally {
      bytes[at]! ^= 1 << (at % 8);
    }
  }
}

/** Every number of a list, one at a time: small changes and large ones. */
function changeEach(numbers: Uint32Array | Uint16Array, count: number, check: (at: number) => void): void {
  for (let at = 0; at < count; at++) {
    const original = numbers[at]!;
    for (const other of [0, 1, original + 1, original - 1, 7, 0xffff, 0x7fffffff, 0xffffffff]) {
      numbers[at] = other;
      try {
        if (numbers[at] !== original) check(at);
      } finally {
        numbers[at] = original;
      }
    }
  }
}

const bundlesOf = ({ chunks, where, count }: MessageBatch): Uint8Array[] =>
  Array.from({ length: count }, (_, x) => {
    const [chunk, from, to] = where.subarray(x * WHERE.fields);
    return chunks[chunk!]!.subarray(from, to);
  });

/** Of the messages that have several recipients. */
const leafHashesOf = (batch: MessageBatch): Uint8Array[] =>
  bundlesOf(batch).flatMap((bundle, x) => {
    const recipients = getU16(bundle, 0);
    return recipients > 1 ? [leavesOf(batch, x, recipients)] : [];
  });

function refusesAttestation(
  to: Address,
  attestation: SignedAttestation,
  withOther: (other: SignedAttestation) => ActorMessage[],
): void {
  flipEach(attestation.bytes, (at) => refuses(to, withOther(attestation), `attestation byte ${at}`));
  flipEach(attestation.signature, (at) => refuses(to, withOther(attestation), `signature byte ${at}`));
  const cut = { ...attestation, signature: attestation.signature.subarray(1) };
  refuses(to, withOther(cut), 'signature cut short');
}

const otherContexts = ({ context }: { context: EpochContext }): EpochContext[] => [
  { ...context, epoch: context.epoch + 1 },
  { ...context, base: { ...context.base, size: 7 } },
  { ...context, base: { ...context.base, root: named('other') } },
  { ...context, manifestHash: named('other') },
  { ...context, placementRoot: named('other') },
];

/** The same statement with one other output, signed by whoever has this seed. */
function resigned(
  attestation: SignedAttestation,
  output: number,
  items: Items,
  seed: Uint8Array,
): SignedAttestation {
  const statement = decodeAttestation(attestation.bytes);
  const leaves = hashPages(items.pages, items.count, ITEM_ROW_BYTES);
  const other = { entries: items.count, leaves: leaves.length / 32, root: merkleRoot(leaves) };
  const bytes = encodeAttestation({ ...statement, outputs: statement.outputs.with(output, other) });
  return { bytes, signature: importSecretKey(seed).sign(bytes) };
}

/** Items of other rows: `order` names the rows to take, `change` may write to the pages. */
function remade(
  items: Items,
  prefix: Uint8Array,
  order: number[],
  change: (pages: Uint8Array) => void = () => {},
): Items {
  const pages = new Uint8Array(pagesBytes(order.length, ITEM_ROW_BYTES));
  order.forEach((x, i) => {
    const from = rowAt(x, ITEM_ROW_BYTES);
    pages.set(items.pages.subarray(from, from + ITEM_ROW_BYTES), rowAt(i, ITEM_ROW_BYTES));
  });
  change(pages);
  putPrefixes(pages, order.length, ITEM_ROW_BYTES, prefix);
  return { count: order.length, pages, positions: Uint16Array.from(order, (x) => items.positions[x]!) };
}

const rowsOf = ({ count }: Items) => Array.from({ length: count }, (_, x) => x);
const swapped = (items: Items) => [1, 0, ...rowsOf(items).slice(2)];
const repeated = (items: Items) => [0, ...rowsOf(items)];

// ---- inbox

const inbox = suite('check, then sign: inbox');

inbox('refuses every changed byte of a frame, and of what the request handler made of it', () => {
  const { id } = world.clients[a!]!;
  const bundles = [everyone, [b!]].map((to, i) => twin.bundleBytes(messageOf(BigInt(i + 1), a!, to)));
  const frame = new Pipeline(cluster, { checkInputs: true }).frame(id, 1, bundles);
  const to = address('inbox', world.placement(id).inbox);
  const submit = [{ type: 'submit', frames: [frame] } as const];
  assert.equal(
    outcome(to, submit).map(({ type }) => type),
    ['work'],
  );
  const end = frame.to + hashedBytes(bundles.length, everyone.length);
  flipEach(frame.chunk.bytes.subarray(frame.from, end), (at) => refuses(to, submit, `byte ${at}`));
  for (const part of [
    { firstCounter: 2 },
    { count: 1 },
    { to: frame.to - 1 },
    { sender: world.clients[b!]!.id },
  ])
    refuses(to, [{ type: 'submit', frames: [{ ...frame, ...part }] }], Object.keys(part).join());
});

inbox.run();

// ---- router

const router = suite('check, then sign: router');
const batches = pipeline.sentOf('inbox-batch').sort((a, b) => a.batch.inbox - b.batch.inbox);

router('takes what its inbox made', () => {
  for (const message of batches) {
    assert.ok(message.batch.count > 0, 'both inboxes have messages');
    assert.is(outcome(address('router', message.batch.inbox), [message]).length, 3);
  }
});

router('refuses changed bytes of pages, bundles, runs and attestation', () => {
  for (const message of batches) {
    const { batch } = message;
    const to = address('router', batch.inbox);
    flipEach(batch.pages, (at) => refuses(to, [message], `page byte ${at}`));
    for (const bundle of bundlesOf(batch))
      flipEach(bundle, (at) => refuses(to, [message], `bundle byte ${at}`));
    flipEach(batch.runs, (at) => refuses(to, [message], `run byte ${at}`));
    const leaves = leafHashesOf(batch);
    assert.ok(leaves.length > 0, 'some messages have several recipients');
    for (const hashes of leaves) flipEach(hashes, (at) => refuses(to, [message], `leaf hash byte ${at}`));
    refusesAttestation(to, message.attestation, (attestation) => [{ ...message, attestation }]);
    for (const context of otherContexts(message)) refuses(to, [{ ...message, context }], 'another context');
  }
});

router('refuses batches that point elsewhere, are miscounted or are another inbox’s', () => {
  for (const message of batches) {
    const { batch } = message;
    const to = address('router', batch.inbox);
    const expected = signedAndStored(outcome(to, [message]));
    changeEach(batch.where, batch.count * WHERE.fields, (at) => {
      // Two runs that follow on each other say the same of a message.
      const refused = unharmed(to, [message], expected, `where ${at}`);
      assert.ok(refused || at % WHERE.fields === WHERE.run);
    });
    const changed = (changes: Partial<MessageBatch>) => [{ ...message, batch: { ...batch, ...changes } }];
    for (const count of [0, batch.count - 1, batch.count + 1, 1e6]) {
      refuses(to, changed({ count }), `${count} messages`);
    }
    refuses(to, changed({ inbox: 1 - batch.inbox }), 'another inbox');
    refuses(to, changed({ chunks: [] }), 'no chunks');
    refuses(to, changed({ pages: batch.pages.subarray(0, -1) }), 'pages cut short');
    refuses(address('router', 1 - batch.inbox), [message], 'a batch for the other router');
  }
});

router.run();

// ---- receiver

const receiver = suite('check, then sign: receiver');
const sharesOf = (j: number) =>
  pipeline.sent
    .filter(({ to, message }) => to.index === j && message.type === 'router-share')
    .map(({ message }) => message as RouterShare);

receiver('takes what its routers made', () => {
  for (const j of [0, 1]) {
    assert.is(sharesOf(j).length, 2);
    for (const { items } of sharesOf(j)) assert.ok(items.count > 2, 'every share has items');
    assert.is(outcome(address('receiver', j), sharesOf(j)).length, 2);
  }
});

receiver('refuses changed bytes of items and attestation', () => {
  for (const j of [0, 1]) {
    const to = address('receiver', j);
    const shares = sharesOf(j);
    shares.forEach((share, i) => {
      flipEach(share.items.pages, (at) => refuses(to, shares, `item byte ${at}`));
      refusesAttestation(to, share.attestation, (attestation) => shares.with(i, { ...share, attestation }));
      const expected = signedAndStored(outcome(to, shares));
      for (const context of otherContexts(share)) {
        // What a later share says of its context is not looked at: the first one's is held against all.
        const refused = unharmed(to, shares.with(i, { ...share, context }), expected, 'another context');
        assert.ok(refused || i > 0);
      }
    });
  }
});

receiver('refuses shares that are another receiver’s or router’s, or come twice', () => {
  const to = address('receiver', 0);
  const [mine, others] = [sharesOf(0), sharesOf(1)];
  mine.forEach((share, i) => {
    const changed = (changes: Partial<RouterShare>) => mine.with(i, { ...share, ...changes });
    refuses(to, mine.with(i, others[i]!), 'the other receiver’s share');
    refuses(to, changed({ attestation: mine[1 - i]!.attestation }), 'the other router’s attestation');
    refuses(to, changed({ batch: mine[1 - i]!.batch }), 'the other inbox’s batch');
    refuses(to, changed({ router: 2 }), 'a router that there is not');
    refuses(to, [share, share], 'a share twice');
    for (const count of [0, share.items.count - 1, share.items.count + 1]) {
      refuses(to, changed({ items: { ...share.items, count } }), `${count} items`);
    }
  });
});

receiver('refuses what a router signed and no honest one signs', () => {
  const to = address('receiver', 0);
  const [shares, foreign] = [sharesOf(0), sharesOf(1)];
  shares.forEach((share, i) => {
    const { items, attestation, router: index } = share;
    const refusesItems = (other: Items, what: string) => {
      const signed = resigned(attestation, 0, other, world.secrets.routers[index]!);
      refuses(to, shares.with(i, { ...share, items: other, attestation: signed }), what);
    };
    refusesItems(remade(items, ROUTER_PREFIX, swapped(items)), 'unsorted');
    refusesItems(remade(items, ROUTER_PREFIX, repeated(items)), 'an item twice');
    refusesItems(remade(items, RECEIVER_PREFIX, rowsOf(items)), 'pages of a receiver');
    refusesItems(foreign[i]!.items, 'mailboxes of another receiver');
    const last = rowAt(items.count - 1, ITEM_ROW_BYTES);
    const ofOther = remade(items, ROUTER_PREFIX, rowsOf(items), (pages) => putU16(pages, last + 32, 7));
    refusesItems(ofOther, 'an item of another inbox');
  });
});

receiver.run();

// ---- outbox

const outbox = suite('check, then sign: outbox');
const itemsOf = (j: number) =>
  pipeline.sent.find(({ to, message }) => to.index === j && message.type === 'receiver-items')!
    .message as ReceiverItems;

outbox('takes what its receiver made', () => {
  for (const j of [0, 1]) assert.is(outcome(address('outbox', j), [itemsOf(j)]).length, 1);
});

outbox('refuses changed bytes of items, bundles, runs and attestation', () => {
  for (const j of [0, 1]) {
    const to = address('outbox', j);
    const message = itemsOf(j);
    const expected = signedAndStored(outcome(to, [message]));
    flipEach(message.items.pages, (at) => refuses(to, [message], `item byte ${at}`));
    refusesAttestation(to, message.attestation, (attestation) => [{ ...message, attestation }]);
    for (const context of otherContexts(message)) refuses(to, [{ ...message, context }], 'another context');
    for (const batch of message.batches) {
      // All messages come to this outbox, which hashes all of their bytes.
      for (const bundle of bundlesOf(batch))
        flipEach(bundle, (at) => refuses(to, [message], `bundle byte ${at}`));
      flipEach(batch.runs, (at) => refuses(to, [message], `run byte ${at}`));
      for (const hashes of leafHashesOf(batch))
        flipEach(hashes, (at) => refuses(to, [message], `leaf hash byte ${at}`));
      const bundles = bundlesOf(batch);
      changeEach(batch.where, batch.count * WHERE.fields, (at) => {
        const refused = unharmed(to, [message], expected, `where ${at}`);
        const [field, recipients] = [at % WHERE.fields, getU16(bundles[Math.floor(at / WHERE.fields)]!, 0)];
        assert.ok(refused || field === WHERE.run || (field === WHERE.leaves && recipients === 1));
      });
    }
  }
});

outbox('a wrong position changes nothing, or is refused', () => {
  for (const j of [0, 1]) {
    const to = address('outbox', j);
    const message = itemsOf(j);
    const { positions, count } = message.items;
    changeEach(positions, count, (at) => refuses(to, [message], `position of item ${at}`));
    const none = { ...message.items, positions: new Uint16Array(0) };
    refuses(to, [{ ...message, items: none }], 'no positions');
  }
});

outbox('refuses what a receiver signed and no honest one signs', () => {
  const message = itemsOf(0);
  const to = address('outbox', 0);
  const { items, attestation } = message;
  const refusesItems = (other: Items, what: string) => {
    const signed = resigned(attestation, 0, other, world.secrets.receivers[0]!);
    refuses(to, [{ ...message, items: other, attestation: signed }], what);
  };
  const last = rowAt(items.count - 1, ITEM_ROW_BYTES);
  const withLast = (change: (pages: Uint8Array) => void) =>
    remade(items, RECEIVER_PREFIX, rowsOf(items), change);
  refusesItems(remade(items, RECEIVER_PREFIX, swapped(items)), 'unsorted');
  refusesItems(remade(items, RECEIVER_PREFIX, repeated(items)), 'an item twice');
  refusesItems(remade(items, ROUTER_PREFIX, rowsOf(items)), 'pages of a router');
  refusesItems(
    withLast((pages) => putU16(pages, last + 32, 7)),
    'an inbox that there is not',
  );
  refusesItems(
    withLast((pages) => putU32(pages, last + 34, 999)),
    'a message that there is not',
  );
  refusesItems(
    withLast((pages) => pages.fill(0xff, last, last + 32)),
    'a mailbox that there is not',
  );
  refusesItems(
    withLast((pages) => pages.fill(1, last + 38, last + 70)),
    'another message hash',
  );
  refusesItems(itemsOf(1).items, 'mailboxes of another outbox');
  for (const count of [0, items.count - 1, items.count + 1]) {
    refuses(to, [{ ...message, items: { ...items, count } }], `${count} items`);
  }
  refuses(to, [{ ...message, batches: message.batches.toReversed() }], 'batches out of order');
  refuses(to, [{ ...message, batches: message.batches.slice(0, 1) }], 'a batch missing');
});

outbox('refuses changed bytes of the bodies that it has packed', () => {
  const done = BodyPacker.prototype.done;
  const { length } = outcome(address('outbox', 0), [itemsOf(0)])
    .flatMap((message) => (message.type === 'attested' ? message.records : []))
    .find(({ key }) => key[0] === 'B'.charCodeAt(0))!.value!;
  assert.ok(length > 500);
  try {
    for (let at = FIRST; at < length; at += STRIDE) {
      BodyPacker.prototype.done = function (this: BodyPacker) {
        const bodies = done.call(this);
        bodies[at]! ^= 1;
        return bodies;
      };
      refuses(address('outbox', 0), [itemsOf(0)], `packed byte ${at}`);
    }
  } finally {
    BodyPacker.prototype.done = done;
  }
});

outbox.run();

// ---- sequencer

const sequencer = suite('check, then sign: sequencer');

sequencer('refuses changed bytes of every attestation and signature', () => {
  const kinds = ['inbox', 'router', 'receiver', 'outbox'];
  const signed = pipeline
    .sentOf('attested')
    .sort((a, b) => kinds.indexOf(a.from.kind) - kinds.indexOf(b.from.kind) || a.from.index - b.from.index)
    .map(({ attestation }) => attestation);
  const { context } = itemsOf(0);
  const check = () =>
    checkEpoch(signed, { inboxes: 2, outboxes: 2 }, pipeline.keys, cluster.serverId, context);
  check();
  const refused = () => assert.throws(check, (error: unknown) => error instanceof ActorFault);
  for (const { bytes, signature } of signed) {
    flipEach(bytes, refused);
    flipEach(signature, refused);
  }
});

sequencer.run();
