/** Vectors: digests of pairs against an obvious twin, what is kept and let go, blocks, rosters, and over a real server. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FileStore } from '../src/client/file-store.js';
import type { Client } from '../src/client/index.js';
import { bridgeOver, joined, type Range } from '../src/client/log-range.js';
import type { Message } from '../src/client/message.js';
import { MemoryStore } from '../src/client/store.js';
import { type BookOptions, VectorBook } from '../src/client/vector-book.js';
import type { KeptMessage } from '../src/client/vector-format.js';
import {
  type Comparison,
  ComparisonError,
  Vectors,
  type VectorsOptions,
} from '../src/client/vectors-entry.js';
import {
  anchorOf,
  type Block,
  decodeBlock,
  encodeBlock,
  Frontier,
  gapHashes,
  isConsistent,
  toHex,
} from '../src/protocol/index.js';
import { clientOf, directory, read, serverAt } from './client-helpers.js';
import { compare } from './support/comparing.js';
import { named, runOptions } from './worlds.js';

const test = suite('vectors');
const id = (name: string) => Uint8Array.from(named(name));
const NOTHING = new Uint8Array(0);

// ---- blocks

const BLOCK: Block = {
  ...{ scope: 1, from: 3, asOf: 9, digest: id('digest') },
  anchor: { size: 2048, root: id('root') },
};

test('a block is read as it was made, and no other bytes are', () => {
  const bytes = encodeBlock(BLOCK);
  assert.is(bytes.length, 97);
  assert.equal(decodeBlock(bytes), BLOCK);
  for (const wrong of [
    bytes.subarray(0, 96),
    Uint8Array.of(...bytes, 0),
    encodeBlock({ ...BLOCK, from: 10 }),
    encodeBlock({ ...BLOCK, anchor: { ...BLOCK.anchor, size: 2047 } }),
    encodeBlock({ ...BLOCK, scope: 2 as never }),
  ])
    assert.throws(() => decodeBlock(wrong));
  for (let at = 0; at < 8; at++) {
    const flipped = Uint8Array.from(bytes);
    flipped[at]! ^= 1;
    assert.throws(() => decodeBlock(flipped));
  }
});

// ---- the log

const leafHash = (i: number) => Uint8Array.from(createHash('sha256').update(`leaf ${i}`).digest());
const sha = (...parts: Uint8Array[]) =>
  Uint8Array.from(createHash('sha256').update(Buffer.concat(parts)).digest());

/** Of the complete subtree, the slow way. */
function node(level: number, index: number): Uint8Array {
  if (level === 0) return leafHash(index);
  return sha(Uint8Array.of(1), node(level - 1, index * 2), node(level - 1, index * 2 + 1));
}

const gap = (from: number, to: number): Range => ({ from, to, hashes: gapHashes(node, from, to) });
const frontierAt = (size: number) => Frontier.from(size, gap(0, size).hashes);

test('ranges join to what leads from the first to the last', () => {
  const sizes = fc.uniqueArray(fc.nat(90), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(sizes, (list) => {
      const [first, ...rest] = [...list].sort((a, b) => a - b) as [number, ...number[]];
      const ranges = rest.map((to, i) => gap(i === 0 ? first : rest[i - 1]!, to));
      assert.equal(joined(gap(first, first), ...ranges), gap(first, rest.at(-1)!));
    }),
    runOptions(100),
  );
});

test('what two clients know of the log bridges their claims', () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 80 }), fc.nat(40), fc.nat(40), fc.nat(40));
  fc.assert(
    fc.property(sizes, ([smaller, more, past, others]) => {
      // The one with the earlier claim knows on; the other need not know more than its own.
      const larger = smaller + more;
      const own = [gap(0, smaller), gap(smaller, larger + past)];
      const theirs = [gap(0, larger), gap(larger, larger + others)];
      const proof = bridgeOver([...own, ...theirs], smaller, larger);
      const [a, b] = [frontierAt(smaller).root(), frontierAt(larger).root()];
      if (more === 0) assert.is(proof.length, 0);
      else assert.ok(isConsistent(smaller, a, larger, b, proof), `${smaller} to ${larger}`);
    }),
    runOptions(200),
  );
  assert.is(bridgeOver([gap(0, 5), gap(0, 9)], 5, 9).length, 0, 'nobody knows on from 5');
});

test('an anchor is the root at the last multiple of 1,024', () => {
  const wide = (level: number, index: number) => sha(Buffer.from(`${level} ${index}`));
  const at = (size: number) => Frontier.from(size, gapHashes(wide, 0, size));
  assert.is(anchorOf(at(1023)).size, 0);
  for (const [size, anchor] of [
    [1024, 1024],
    [2047, 1024],
    [5000, 4096],
    [7168, 7168],
  ] as const)
    assert.equal(anchorOf(at(size)), { size: anchor, root: at(anchor).root() });
});

// ---- the book

const OWNER = id('owner');
const PEERS = ['one', 'two', 'three'].map(id);
const OPTIONS: BookOptions = {
  ...{ serverId: id('server'), owner: OWNER, scope: 0, letGo: 'keepEpochs' },
  ...{ epochs: 1000, bytes: 1 << 30, pairs: 100 },
};

interface Happened {
  readonly epoch: number;
  /** To or from these, at index 0, 1, … */
  readonly peers: readonly number[];
}

/** One after the other; between two epochs of the mailbox some pass without it. */
const histories = fc
  .array(
    fc.record({
      step: fc.integer({ min: 1, max: 5 }),
      peers: fc.array(fc.nat(2), { minLength: 1, maxLength: 4 }),
    }),
    {
      maxLength: 30,
    },
  )
  .map((list) => {
    let epoch = 0;
    return list.map(({ step, peers }): Happened => {
      epoch += step;
      return { epoch, peers };
    });
  });

const messageHash = (epoch: number, index: number) => id(`message ${epoch} ${index}`);

function messagesOf({ epoch, peers }: Happened): KeptMessage[] {
  return peers.map((peer, index) => ({
    ...{ inbox: 0, index, messageHash: messageHash(epoch, index), preimage: NOTHING },
    ...{ leaves: NOTHING, isOpen: 0, peers: [PEERS[peer]!] },
  }));
}

/** Keeps what is saved as a store does. */
class Kept {
  readonly saved = new Map<string, Uint8Array>();
  book: VectorBook;

  constructor(readonly options: BookOptions = OPTIONS) {
    this.book = new VectorBook(options, this.saved);
  }

  save(): void {
    for (const [name, bytes] of this.book.changes()) this.saved.set(name, bytes.slice());
  }

  restart(options = this.options): void {
    this.book = new VectorBook(options, structuredClone(this.saved));
  }

  take(list: readonly Happened[], at: number, isPartial = false): void {
    const happened = list[at]!;
    const previousEpoch = list[at - 1]?.epoch ?? 0;
    const messages = messagesOf(happened);
    this.book.takeLink({ epoch: happened.epoch, previousEpoch, claims: () => [], messages, isPartial });
  }
}

/** The pair digest as the specification says it, from the whole history. */
function slowDigest(list: readonly Happened[], peer: number, from: number, asOf: number): string {
  const u = (value: number, bytes: number) => Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex');
  const ids = [OWNER, PEERS[peer]!].sort(Buffer.compare);
  let digest = sha(Buffer.from('csign1vs'), OPTIONS.serverId, ...ids, u(0, 1), u(from, 8));
  for (const { epoch, peers } of list) {
    if (epoch <= from || epoch > asOf || !peers.includes(peer)) continue;
    const items = peers.flatMap((each, index) =>
      each === peer ? [u(0, 2), u(index, 4), messageHash(epoch, index)] : [],
    );
    const count = u(items.length / 3, 4);
    digest = sha(Buffer.from('csign1vd'), digest, sha(Buffer.from('csign1vi'), u(epoch, 8), count, ...items));
  }
  return toHex(digest);
}

test('digests are those of the specification, whatever is let go, and whenever it is restarted', () => {
  const ways = fc.constantFrom<BookOptions['letGo']>('keepEpochs', 'untilVerified', 'headsOnly');
  const choices = fc.record({ list: histories, epochs: fc.integer({ min: 1, max: 40 }), letGo: ways });
  const lucks = fc.array(fc.nat(9), { maxLength: 60 });
  fc.assert(
    fc.property(choices, lucks, ({ list, epochs, letGo }, chances) => {
      const kept = new Kept({ ...OPTIONS, epochs, letGo });
      let most = epochs;
      for (let at = 0; at < list.length; ) {
        kept.take(list, at);
        const luck = chances.shift() ?? 9;
        // A crash before the save: the same comes again, as what was not saved does.
        if (luck < 2) {
          kept.restart();
          most = epochs;
          at = list.findIndex(({ epoch }) => epoch > kept.book.asOf);
          continue;
        }
        kept.save();
        if (luck === 2) {
          most = (epochs % 7) + 1;
          kept.restart({ ...kept.options, epochs: most });
        }
        if (luck === 3) kept.take(list, Math.max(0, at - 1));
        if (luck === 4) kept.book.verified(toHex(PEERS[0]!), list[at]!.epoch);
        PEERS.forEach((peer, i) => {
          const pair = kept.book.pairOf(toHex(peer));
          for (const { epoch } of list.slice(0, at + 1)) {
            const head = pair.headAt(epoch);
            if (epoch < pair.baseEpoch) assert.is(head, null);
            else assert.is(toHex(head!), slowDigest(list, i, 0, epoch), `of ${i} as of ${epoch}`);
          }
        });
        assert.ok(kept.book.epochs.length <= most);
        at++;
      }
    }),
    runOptions(60),
  );
});

const LIST: Happened[] = [1, 2, 3, 4, 5].map((epoch) => ({ epoch: epoch * 10, peers: [0] }));

test('heads alone: no claim and no message is kept, in memory or in the store', () => {
  for (const letGo of ['headsOnly', 'keepEpochs'] as const) {
    const kept = new Kept({ ...OPTIONS, letGo });
    const [claim, still, preimage] = ['claim', 'still', 'preimage'].map((name) => id(`${name} of ${letGo}`));
    const messages = messagesOf(LIST[0]!).map((each) => ({
      ...each,
      preimage: preimage!,
      leaves: preimage!,
    }));
    kept.book.takeLink({ epoch: 10, previousEpoch: 0, claims: () => [claim!], messages, isPartial: false });
    kept.book.takeStill(11, 10, () => still!);
    kept.save();
    const holds = (bytes: Uint8Array) =>
      [...kept.saved.values()].some((saved) => Buffer.from(saved).includes(Buffer.from(bytes)));
    const isWhole = letGo === 'keepEpochs';
    for (const restarts of [false, true]) {
      if (restarts) kept.restart();
      const { claims, messages: held, digests } = kept.book.keptAt(10)!;
      assert.equal([claims.length, held.length], isWhole ? [1, 1] : [0, 0]);
      assert.is(kept.book.still.length, isWhole ? 32 : 0);
      assert.is(digests.length, 1);
    }
    for (const bytes of [claim!, still!, preimage!, messageHash(10, 0)]) assert.is(holds(bytes), isWhole);
  }
});

test('where something is not known all pairs start behind it, and what comes then counts', () => {
  const kept = new Kept();
  kept.take(LIST, 0);
  kept.take(LIST, 1, true);
  kept.take(LIST, 2);
  const pair = kept.book.pairOf(toHex(PEERS[0]!));
  assert.is(pair.from, 20);
  assert.is(toHex(pair.headAt(30)!), slowDigest(LIST, 0, 20, 30));
  // The chain goes on behind an epoch that never came here.
  kept.take(LIST, 4);
  assert.is(pair.from, 40);
  assert.is(toHex(pair.headAt(50)!), slowDigest(LIST, 0, 40, 50));
  kept.save();
  kept.restart();
  assert.is(toHex(kept.book.pairOf(toHex(PEERS[0]!)).headAt(50)!), slowDigest(LIST, 0, 40, 50));
  // Whoever was not known yet starts there, too.
  assert.is(kept.book.pairOf(toHex(PEERS[1]!)).from, 40);
});

test('a pair that is asked for before the first leaf starts behind what that names, too', () => {
  const kept = new Kept();
  const pair = kept.book.pairOf(toHex(PEERS[0]!));
  kept.save();
  for (const isRestarted of [false, true]) {
    if (isRestarted) kept.restart();
    kept.take(LIST, 2);
    assert.is(kept.book.pairOf(toHex(PEERS[0]!)).from, 20);
    assert.is(toHex(kept.book.pairOf(toHex(PEERS[0]!)).headAt(30)!), slowDigest(LIST, 0, 20, 30));
  }
  assert.is(pair.from, 20);
});

test('pairs beyond the bound start anew, and no pair counts what it has not seen', () => {
  const kept = new Kept({ ...OPTIONS, pairs: 2 });
  const list = [0, 1, 2].map((peer, i): Happened => ({ epoch: i + 1, peers: [peer] }));
  list.forEach((_, at) => {
    kept.take(list, at);
  });
  kept.save();
  kept.restart();
  const pair = kept.book.pairOf(toHex(PEERS[0]!));
  assert.is(pair.from, 2);
  assert.is(toHex(pair.headAt(3)!), slowDigest(list, 0, 2, 3));
});

test('bytes are bounded, and what all have verified goes', () => {
  const claims = () => [new Uint8Array(1000)];
  const few = new Kept({ ...OPTIONS, bytes: 5000 });
  const verified = new Kept({ ...OPTIONS, letGo: 'untilVerified' });
  for (const kept of [few, verified])
    for (let at = 0; at < 40; at++)
      kept.book.takeLink({
        ...{ epoch: at + 1, previousEpoch: at, claims, isPartial: false },
        messages: messagesOf({ epoch: at + 1, peers: [at % 2] }),
      });
  assert.ok(few.book.epochs.length < 5, `${few.book.epochs.length} epochs of 1,000 bytes and more in 5,000`);
  assert.is(verified.book.epochs.length, 40);
  verified.book.verified(toHex(PEERS[0]!), 30);
  assert.is(verified.book.epochs.length, 40, 'the other has not');
  verified.book.verified(toHex(PEERS[1]!), 25);
  assert.is(verified.book.epochs.first!.epoch, 26);
  verified.save();
  assert.is(
    [...verified.saved].filter(([name, bytes]) => name.startsWith('epoch') && bytes.length > 0).length,
    15,
  );
});

// ---- over a real server

const peersOf = (...clients: readonly Client[]) => clients.map(({ id }) => id);

async function exchange(from: Client, to: Client): Promise<Comparison> {
  return to.vectors!.check(from.id, from.vectors!.block(to.id));
}

for (const options of [
  { letGo: { keepEpochs: 100 } },
  { letGo: { untilVerified: 100 } },
  { letGo: { headsOnly: 100 } },
] satisfies VectorsOptions[])
  test(`two clients have the same, also after a restart: ${Object.keys(options.letGo)[0]}`, async () => {
    const data = directory('vectors');
    const server = await serverAt(data);
    const path = join(data, 'alice');
    let alice = await clientOf(server, 'alice', {
      vectors: new Vectors(options),
      store: new FileStore(path),
    });
    const bob = await clientOf(server, 'bob', { vectors: new Vectors(options) });
    const toBob = { to: peersOf(bob) };
    await alice.send({ ...toBob, body: 'one' });
    await bob.send({ to: alice.id, body: 'two' });
    await alice.send({ to: peersOf(alice, bob), body: 'three' });
    await read(bob, 2);
    assert.is((await exchange(alice, bob)).outcome, 'same');
    await alice.close();
    // What comes while she is away comes as a backlog.
    await bob.send({ to: alice.id, body: 'four' });
    alice = await clientOf(server, 'alice', { vectors: new Vectors(options), store: new FileStore(path) });
    await read(alice, 3);
    assert.is((await exchange(bob, alice)).outcome, 'same');
    await alice.send({ ...toBob, body: 'five' });
    await read(bob, 1);
    assert.is((await exchange(alice, bob)).outcome, 'same');
    assert.is(decodeBlock(alice.vectors!.block(bob.id)).from, 0, 'from the beginning');
    await Promise.all([alice.close(), bob.close()]);
    await server.stop();
  });

test('a block of one that has more, or less, or counts otherwise, says nothing', async () => {
  const server = await serverAt(directory('vectors'));
  const store = new MemoryStore();
  const alice = await clientOf(server, 'alice', { vectors: new Vectors() });
  const bob = await clientOf(server, 'bob', { vectors: new Vectors(), store });
  await alice.send({ to: bob.id, body: 'one' });
  await read(bob, 1);
  const block = decodeBlock(alice.vectors!.block(bob.id));
  const check = (change: Partial<Block>) =>
    bob.vectors!.check(alice.id, encodeBlock({ ...block, ...change }));
  assert.equal(check({ asOf: block.asOf + 1 }), { outcome: 'unknown', reason: 'ahead' });
  assert.equal(check({ scope: 1 }), { outcome: 'unknown', reason: 'scope' });
  assert.equal(check({ digest: id('other') }), { outcome: 'differs', asOf: block.asOf });
  assert.is(check({}).outcome, 'same');
  // A lost store: Alice does not know to whom she wrote. They start anew, and agree by their next blocks.
  await alice.close();
  const again = await clientOf(server, 'alice', { vectors: new Vectors() });
  await again.send({ to: bob.id, body: 'two' });
  await bob.send({ to: again.id, body: 'three' });
  await read(bob, 1);
  await read(again, 1);
  assert.equal(await exchange(bob, again), { outcome: 'unknown', reason: 'start' });
  assert.is((await exchange(again, bob)).outcome, 'same');
  assert.is((await exchange(bob, again)).outcome, 'same');
  assert.throws(
    () => again.vectors!.check(bob.id, id('no block')),
    (error: unknown) => error instanceof ComparisonError && error.code === 'malformed',
  );
  assert.throws(() => again.vectors!.block(again.id), TypeError);
  await Promise.all([again.close(), bob.close()]);
  await server.stop();
});

for (const way of ['block', 'check', 'frame', 'compare'] as const)
  test(`a new store of a known key, and ${way} before its first leaf: no false alarm`, async () => {
    const server = await serverAt(directory('vectors'));
    const alice = await clientOf(server, 'alice', { vectors: new Vectors() });
    let bob = await clientOf(server, 'bob', { vectors: new Vectors() });
    await alice.send({ to: bob.id, body: 'one' });
    await read(bob, 1);
    // Deleted at the server, so that no backlog shows it to the new store.
    await bob.close();
    await alice.still();
    bob = await clientOf(server, 'bob', { vectors: new Vectors() });
    assert.is(bob.vectors!.asOf, 0);
    if (way === 'block') bob.vectors!.block(alice.id);
    if (way === 'check')
      assert.not.equal((await exchange(alice, bob)).outcome, 'differs', 'before it has seen anything');
    if (way === 'frame') bob.vectors!.frame({ to: alice.id, body: 'hi' });
    if (way === 'compare') await compare(alice, bob).catch(() => {});
    await alice.send({ to: bob.id, body: 'two' });
    await bob.send({ to: alice.id, body: 'three' });
    await Promise.all([alice.still(), bob.still()]);
    const shown = [];
    for (let i = 0; i < 2; i++) shown.push(await exchange(alice, bob), await exchange(bob, alice));
    assert.not(
      shown.some(({ outcome }) => outcome === 'differs'),
      JSON.stringify(shown),
    );
    assert.equal(
      (await compare(alice, bob)).slice(0, 2).map((found) => (found as { outcome: string }).outcome),
      ['same', 'same'],
    );
    await Promise.all([alice.close(), bob.close()]);
    await server.stop();
  });

test('messages of others to both count once their roster was checked; a false roster is seen', async () => {
  const server = await serverAt(directory('vectors'));
  const [anna, bert, cora] = await Promise.all(
    ['anna', 'bert', 'cora'].map((name) =>
      clientOf(server, name, { vectors: new Vectors({ rosters: true }) }),
    ),
  );
  const rosterKey = id('roster key');
  const members = peersOf(bert!, cora!);
  await anna!.send({ to: members, body: 'to both', rosterKey });
  const [ofBert, ofCora] = [bert!, cora!].map((client) => client.mailbox({ acknowledge: 'manual' }));
  const next = async (mailbox: typeof ofBert): Promise<Message> => (await mailbox!.next()).value!;
  const [berts, coras] = [await next(ofBert), await next(ofCora)];
  const before = decodeBlock(bert!.vectors!.block(cora!.id));
  assert.ok(before.asOf < berts.place.epoch, 'nothing is compared beyond it');
  assert.is(bert!.vectors!.roster(berts, { rosterKey, members }), 'counted');
  assert.is(bert!.vectors!.roster(berts, { rosterKey, members }), 'late');
  assert.equal(await exchange(bert!, cora!), { outcome: 'unknown', reason: 'ahead' });
  assert.is(cora!.vectors!.roster(coras, { rosterKey, members: [anna!.id, cora!.id] }), 'wrong');
  assert.is((await exchange(bert!, cora!)).outcome, 'differs');
  await anna!.send({ to: members, body: 'once more', rosterKey });
  const later = await next(ofBert);
  berts.ack();
  later.ack();
  // Acknowledged without: all starts anew behind it.
  for (let i = 0; decodeBlock(bert!.vectors!.block(cora!.id)).from === 0 && i < 100; i++) await bert!.still();
  assert.ok(decodeBlock(bert!.vectors!.block(cora!.id)).from >= later.place.epoch);
  await Promise.all([anna, bert, cora].map((client) => client!.close()));
  await server.stop();
});

test('framed bodies bring rosters and blocks by themselves, and a false roster is seen', async () => {
  const server = await serverAt(directory('vectors'));
  const [anna, bert, cora] = (await Promise.all(
    ['anna', 'bert', 'cora'].map((name) =>
      clientOf(server, name, { vectors: new Vectors({ rosters: true, blockEvery: 2 }) }),
    ),
  )) as [Client, Client, Client];
  const to = [bert.id, cora.id];
  const envelopes = [undefined, Uint8Array.of(1, 2)];
  const [ofBert, ofCora] = [bert, cora].map((client) => client.mailbox({ acknowledge: 'manual' }));
  const unframed = async (client: Client, mailbox: typeof ofBert) => {
    const message = (await mailbox!.next()).value!;
    return client.vectors!.unframe(message, message.body);
  };
  const each = async (text: string) => {
    await anna.send({ to, envelopes, ...anna.vectors!.frame({ to, envelopes, body: text }) });
    for (const [client, mailbox] of [
      [bert, ofBert],
      [cora, ofCora],
    ] as const) {
      const { body, roster, comparison } = await unframed(client, mailbox);
      assert.is(Buffer.from(body).toString(), text);
      assert.is(roster, 'counted');
      seen.push(comparison?.outcome ?? null);
    }
  };
  const seen: (string | null)[] = [];
  for (const text of ['one', 'two', 'three', 'four', 'five']) await each(text);
  // One in two, to each; what the first one is about was known to nobody yet.
  assert.equal(
    seen.map((outcome) => outcome !== null),
    [true, true, false, false, true, true, false, false, true, true],
  );
  assert.not(seen.includes('differs'));
  await bert.send({ to: anna.id, ...bert.vectors!.frame({ to: anna.id, body: 'to one' }) });
  const one = await unframed(anna, anna.mailbox());
  assert.equal([Buffer.from(one.body).toString(), one.roster], ['to one', null]);
  // Whoever encrypts another roster than the message was sent with.
  const { body } = anna.vectors!.frame({ to, body: 'a lie' });
  await anna.send({ to, body, rosterKey: id('another key') });
  assert.is((await unframed(bert, ofBert)).roster, 'wrong');
  await anna.send({ to, body: 'not framed' });
  await unframed(cora, ofCora);
  assert.is(await unframed(cora, ofCora).catch((error: ComparisonError) => error.code), 'malformed');
  await Promise.all([anna, bert, cora].map((client) => client.close()));
  await server.stop();
});

test('what a client cannot be told is refused', () => {
  for (const wrong of [{ letGo: { keepEpochs: 0 } }, { bytes: -1 }, { peers: 1.5 }, { letGo: {} }])
    assert.throws(() => new Vectors(wrong as never), TypeError);
});

test.run();
